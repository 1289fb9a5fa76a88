-- one row per source instance, kind and identifier: the keys, teams, users and agents that a source lists
with inventory as (
    select * from {{ ref('int_inventory__unioned') }}
),

listed as (
    select * from {{ ref('int_inventory__identities') }}
),

identities_placed as (
    select * from {{ ref('int_org__identities_placed') }}
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
    identities_placed.entity_key,
    identities_placed.attributed_by,
    inventory.extracted_at
from inventory
inner join listed
    on inventory.source_instance = listed.source_instance
    and inventory.identity_kind = listed.identity_kind
    and inventory.identifier = listed.identifier
left join identities_placed
    on listed.identity_key = identities_placed.identity_key
