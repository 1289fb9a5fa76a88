-- one row per node that auto_create makes: the first identifier of else unattributed usage
with identity_fields as (
    select * from {{ ref('int_org__identity_fields') }}
),

used as (
    select * from {{ ref('int_org__identities') }}
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
        identity_fields.identity_key,
        identity_fields.source_instance,
        identity_fields.dimension,
        identity_fields.field,
        identity_fields.field_value,
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
    inner join used
        on identity_fields.identity_key = used.identity_key
    inner join sources
        on identity_fields.source_instance = sources.source_instance
    left join values_resolved
        on identity_fields.source_instance = values_resolved.source_instance
        and identity_fields.dimension = values_resolved.dimension
        and identity_fields.field = values_resolved.field
        and identity_fields.field_value = values_resolved.field_value
    where identity_fields.dimension in ('owner', 'customer')
)

select
    source_instance,
    dimension,
    field,
    field_value,
    concat('auto-', {{ hash_key(['source_instance', 'field', 'field_value']) }})
        as entity_key,
    dimension as tree,
    case
        when dimension = 'customer' then 'customer'
        when field = 'raw_agent' then 'agent'
        when field = 'raw_user' then 'user'
        when field = 'raw_application' then 'application'
        else 'team'
    end as entity_type,
    field_value as entity_name,
    parent_key,
    concat(field, ': created') as matched_by
from judged
where known_count = 0 and field_rank = 1 and parent_key is not null
group by
    source_instance,
    dimension,
    field,
    field_value,
    parent_key
