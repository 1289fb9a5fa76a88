-- one row per identity of which a rule knows anything: the deepest known node of each tree
with identity_fields as (
    select * from {{ ref('int_org__identity_fields') }}
),

values_resolved as (
    select * from {{ ref('int_org__values_resolved') }}
),

discovered as (
    select * from {{ ref('int_org__identifiers_discovered') }}
),

nodes as (
    select * from {{ ref('int_org__nodes') }}
),

known_values as (
    select
        source_instance,
        dimension,
        field,
        field_value,
        target_key,
        matched_by,
        false as is_made
    from values_resolved
    union all
    select
        source_instance,
        dimension,
        field,
        field_value,
        entity_key as target_key,
        matched_by,
        true as is_made
    from discovered
),

known as (
    select
        identity_fields.identity_key,
        identity_fields.dimension,
        identity_fields.field_position,
        known_values.target_key,
        known_values.matched_by,
        known_values.is_made,
        -- A feature is no node of a tree.
        coalesce(nodes.entity_type, 'feature') as entity_type,
        case nodes.entity_type
            when 'agent' then 1
            when 'user' then 2
            when 'application' then 3
            when 'team' then 4
            when 'workspace' then 5
            when 'customer' then 6
            when 'organisation' then 7
            else 8
        end as type_rank
    from identity_fields
    inner join known_values
        on identity_fields.source_instance = known_values.source_instance
        and identity_fields.dimension = known_values.dimension
        and identity_fields.field = known_values.field
        and identity_fields.field_value = known_values.field_value
    left join nodes
        on known_values.target_key = nodes.entity_key
        and known_values.dimension = nodes.tree
),

ranked as (
    -- The deepest node that a rule knows is the place, else the deepest that was made; of two
    -- as deep, the field the source names first.
    select
        identity_key,
        target_key,
        matched_by,
        row_number() over (
            partition by identity_key, dimension order by is_made, type_rank, field_position
        ) = 1 and dimension = 'owner' as is_owner_place,
        row_number() over (
            partition by identity_key, dimension order by is_made, type_rank, field_position
        ) = 1 and dimension = 'customer' as is_customer_place,
        row_number() over (
            partition by identity_key, dimension, entity_type order by field_position
        ) = 1 and dimension <> 'customer' as is_first_of_type,
        entity_type
    from known
)

select
    identity_key,
    max(case when is_owner_place then target_key end) as entity_key,
    max(case when is_owner_place then matched_by end) as attributed_by,
    max(case when is_customer_place then target_key end) as customer_key,
    max(case when is_customer_place then matched_by end) as customer_attributed_by,
    max(case when is_first_of_type and entity_type = 'user' then target_key end)
        as user_key,
    max(case when is_first_of_type and entity_type = 'agent' then target_key end)
        as agent_key,
    max(case when is_first_of_type and entity_type = 'application' then target_key end)
        as application_key,
    max(case when is_first_of_type and entity_type = 'feature' then target_key end)
        as feature_key
from ranked
group by identity_key
