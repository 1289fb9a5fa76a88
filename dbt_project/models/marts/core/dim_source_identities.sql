-- one row per source instance, kind and identifier: the keys, teams, users and agents that a source lists
with inventory as (
    select * from {{ ref('int_inventory__unioned') }}
),

values_resolved as (
    select * from {{ ref('int_org__values_resolved') }}
    where dimension = 'owner'
)

select
    inventory.source_instance,
    inventory.source,
    inventory.identity_kind,
    inventory.identifier,
    inventory.identity_name,
    inventory.email,
    inventory.team_identifier,
    inventory.user_identifier,
    inventory.organization_identifier,
    inventory.is_blocked,
    {{ money('inventory.limit_usd') }} as limit_usd,
    inventory.limit_period,
    values_resolved.target_key as entity_key,
    inventory.extracted_at
from inventory
left join values_resolved
    on inventory.source_instance = values_resolved.source_instance
    and inventory.field = values_resolved.field
    and inventory.identifier = values_resolved.field_value
