-- one row per node that auto_create makes: the first identifier of else unattributed usage, and the teams and users that
-- the source lists
with identity_fields as (
    select * from {{ ref('int_org__identity_fields') }}
),

used as (
    select identity_key
    from {{ ref('int_org__identities') }}
    where identity_key is not null
),

listed as (
    select * from {{ ref('int_inventory__identities') }}
    where identity_kind in ('team', 'user')
),

values_resolved as (
    select * from {{ ref('int_org__values_resolved') }}
),

sources as (
    select * from {{ ref('stg_config__sources') }}
    where auto_create
),

judged as (
    select
        identity_fields.*,
        case
            when identity_fields.dimension = 'owner' then sources.default_entity_key
            else sources.default_customer_key
        end as parent_key,
        count(values_resolved.target_key) over (
            partition by identity_fields.identity_key, identity_fields.dimension
        ) as known_count,
        row_number() over (
            partition by identity_fields.identity_key, identity_fields.dimension
            order by identity_fields.field_position
        ) as field_rank
    from identity_fields
    inner join sources
        on identity_fields.source_instance = sources.source_instance
    left join values_resolved
        on identity_fields.source_instance = values_resolved.source_instance
        and identity_fields.dimension = values_resolved.dimension
        and identity_fields.field = values_resolved.field
        and identity_fields.field_value = values_resolved.field_value
    where identity_fields.dimension in ('owner', 'customer')
),

unplaced as (
    select judged.*
    from judged
    inner join used
        on judged.identity_key = used.identity_key
    where judged.field_rank = 1
    union all
    select judged.*
    from judged
    inner join listed
        on judged.identity_key = listed.identity_key
        and judged.field = listed.field
    where judged.dimension = 'owner'
),

discovered as (
    select
        source_instance,
        dimension,
        field,
        field_value,
        parent_key
    from unplaced
    where known_count = 0 and parent_key is not null
    group by
        source_instance,
        dimension,
        field,
        field_value,
        parent_key
)

select
    discovered.source_instance,
    discovered.dimension,
    discovered.field,
    discovered.field_value,
    concat(
        'auto-',
        {{ hash_key(['discovered.source_instance', 'discovered.field', 'discovered.field_value']) }}
    ) as entity_key,
    discovered.dimension as tree,
    case
        when discovered.dimension = 'customer' then 'customer'
        when discovered.field = 'raw_agent' then 'agent'
        when discovered.field = 'raw_user' then 'user'
        when discovered.field = 'raw_application' then 'application'
        else 'team'
    end as entity_type,
    coalesce(listed.identity_name, discovered.field_value) as entity_name,
    listed.email,
    discovered.parent_key,
    concat(discovered.field, ': created') as matched_by
from discovered
left join listed
    on discovered.source_instance = listed.source_instance
    and discovered.field = listed.field
    and discovered.field_value = listed.identifier
