-- one row per source instance, kind and identifier: the keys, teams, users and agents that a source lists
with listed as (
    select * from {{ ref('int_inventory__identities') }}
),

identities_placed as (
    select * from {{ ref('int_org__identities_placed') }}
)

select
    listed.source_instance,
    listed.source,
    listed.identity_kind,
    listed.identifier,
    listed.identity_name,
    listed.email,
    listed.team_identifier,
    listed.user_identifier,
    listed.workspace_identifier,
    listed.organization_identifier,
    listed.is_blocked,
    {{ money('listed.limit_usd') }} as limit_usd,
    listed.limit_period,
    identities_placed.entity_key,
    identities_placed.attributed_by,
    listed.extracted_at
from listed
left join identities_placed
    on listed.identity_key = identities_placed.identity_key
