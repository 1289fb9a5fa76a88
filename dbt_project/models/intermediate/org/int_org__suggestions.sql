-- one row per source instance, dimension, field and unknown value that looks like one declared node or feature
with identity_fields as (
    select * from {{ ref('int_org__identity_fields') }}
),

values_resolved as (
    select * from {{ ref('int_org__values_resolved') }}
),

names as (
    select * from {{ ref('int_org__names') }}
),

inventory as (
    select * from {{ ref('int_inventory__unioned') }}
),

-- What a source calls an identifier that it lists.
listed_names as (
    select source_instance, field, identifier, email as name from inventory
    union
    select source_instance, field, identifier, lower(identity_name) as name from inventory
),

unknown_values as (
    select
        identity_fields.source_instance,
        identity_fields.dimension,
        identity_fields.field,
        identity_fields.field_value,
        lower(identity_fields.field_value) as folded_value,
        {{ plain_text(local_part('identity_fields.field_value')) }} as plain_value
    from identity_fields
    left join values_resolved
        on identity_fields.source_instance = values_resolved.source_instance
        and identity_fields.dimension = values_resolved.dimension
        and identity_fields.field = values_resolved.field
        and identity_fields.field_value = values_resolved.field_value
    where values_resolved.target_key is null
    group by
        identity_fields.source_instance,
        identity_fields.dimension,
        identity_fields.field,
        identity_fields.field_value
),

candidates as (
    select
        unknown_values.*,
        names.target_key as suggested_key,
        case names.name_kind when 'email' then 'same e-mail' else 'alias' end as reason,
        case names.name_kind when 'email' then 1 else 2 end as reason_rank
    from unknown_values
    inner join names
        on unknown_values.dimension = names.dimension
        and unknown_values.folded_value = names.name
        and names.name_kind in ('email', 'alias')
    union all
    select
        unknown_values.*,
        values_resolved.target_key as suggested_key,
        concat('same value in ', values_resolved.source_instance, ' ', values_resolved.field)
            as reason,
        2 as reason_rank
    from unknown_values
    inner join values_resolved
        on unknown_values.dimension = values_resolved.dimension
        and unknown_values.field_value = values_resolved.field_value
    union all
    select
        unknown_values.*,
        names.target_key as suggested_key,
        concat('e-mail or name that ', listed_names.source_instance, ' lists it with') as reason,
        2 as reason_rank
    from unknown_values
    inner join listed_names
        on unknown_values.source_instance = listed_names.source_instance
        and unknown_values.field = listed_names.field
        and unknown_values.field_value = listed_names.identifier
    inner join names
        on unknown_values.dimension = names.dimension
        and listed_names.name = names.name
    union all
    select
        unknown_values.*,
        names.target_key as suggested_key,
        'same name but for case and separators' as reason,
        3 as reason_rank
    from unknown_values
    inner join names
        on unknown_values.dimension = names.dimension
        and unknown_values.plain_value = names.plain_name
    union all
    select
        unknown_values.*,
        names.target_key as suggested_key,
        'similar name' as reason,
        4 as reason_rank
    from unknown_values
    -- Alike at both ends: comparing every pair would take a minute where there are many.
    inner join names
        on unknown_values.dimension = names.dimension
        and substring(unknown_values.plain_value, 1, 2) = substring(names.plain_name, 1, 2)
        and right(unknown_values.plain_value, 2) = right(names.plain_name, 2)
        and length(unknown_values.plain_value) >= 6
        and {{ text_similarity('unknown_values.plain_value', 'names.plain_name') }} >= 0.94
),

judged as (
    -- What looks like two nodes for one and the same reason is a suggestion of neither.
    select
        candidates.*,
        min(suggested_key) over (
            partition by source_instance, dimension, field, field_value, reason_rank
        ) as first_key,
        max(suggested_key) over (
            partition by source_instance, dimension, field, field_value, reason_rank
        ) as last_key
    from candidates
),

ranked as (
    -- The strongest reason; of equal ones the first in words, so that runs agree.
    select
        judged.*,
        row_number() over (
            partition by source_instance, dimension, field, field_value
            order by reason_rank, reason
        ) as suggestion_rank
    from judged
    where first_key = last_key
)

select
    -- Who accepts it accepts this value for this node, whatever is suggested later.
    substring(
        {{ hash_key(['source_instance', 'dimension', 'field', 'field_value', 'suggested_key']) }}, 1, 12
    ) as suggestion_id,
    source_instance,
    dimension,
    field,
    field_value,
    suggested_key,
    reason,
    concat(suggested_key, ' (', reason, ')') as suggestion
from ranked
where suggestion_rank = 1
