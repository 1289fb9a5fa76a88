-- one row per source instance, dimension, field and unknown value that looks like a node
with identity_fields as (
    select * from {{ ref('int_org__identity_fields') }}
),

values_resolved as (
    select * from {{ ref('int_org__values_resolved') }}
),

nodes as (
    select * from {{ ref('int_org__nodes') }}
),

inventory as (
    select * from {{ ref('int_inventory__unioned') }}
),

unknown_values as (
    select
        identity_fields.source_instance,
        identity_fields.dimension,
        identity_fields.field,
        identity_fields.field_value
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
        nodes.entity_key as suggested_key,
        'same e-mail' as reason,
        1 as reason_rank
    from unknown_values
    inner join nodes
        on unknown_values.dimension = nodes.tree
        and lower(unknown_values.field_value) = nodes.email
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
        nodes.entity_key as suggested_key,
        concat('e-mail or name that ', inventory.source_instance, ' lists it with') as reason,
        2 as reason_rank
    from unknown_values
    inner join inventory
        on unknown_values.source_instance = inventory.source_instance
        and unknown_values.field = inventory.field
        and unknown_values.field_value = inventory.identifier
    inner join nodes
        on unknown_values.dimension = nodes.tree
        and (
            inventory.email = nodes.email
            or lower(inventory.identity_name) in (nodes.entity_key, lower(nodes.entity_name))
        )
    union all
    select
        unknown_values.*,
        nodes.entity_key as suggested_key,
        'same name but for case' as reason,
        3 as reason_rank
    from unknown_values
    inner join nodes
        on unknown_values.dimension = nodes.tree
        and lower(unknown_values.field_value) in (nodes.entity_key, lower(nodes.entity_name))
),

ranked as (
    -- The strongest reason; of equal ones the first key, so that runs agree.
    select
        candidates.*,
        row_number() over (
            partition by source_instance, dimension, field, field_value
            order by reason_rank, suggested_key, reason
        ) as suggestion_rank
    from candidates
)

select
    source_instance,
    dimension,
    field,
    field_value,
    concat(suggested_key, ' (', reason, ')') as suggestion
from ranked
where suggestion_rank = 1
