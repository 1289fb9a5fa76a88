-- one row per listed identifier, with its own and its owners' where the standard event carries them: rules see it as
-- they see usage, before it is used
with inventory as (
    select * from {{ ref('int_inventory__unioned') }}
)

select
    {{ hash_key(["'listed'", 'source_instance', 'identity_kind', 'identifier']) }} as identity_key,
    source_instance,
    identity_kind,
    identifier,
    organization_identifier as raw_organization,
    case when identity_kind = 'team' then identifier else team_identifier end as raw_team,
    case when identity_kind = 'user' then identifier else user_identifier end as raw_user,
    case when identity_kind = 'agent' then identifier end as raw_agent,
    case when identity_kind = 'key' then identifier end as raw_key_hash,
    case when identity_kind = 'key' then identity_name end as raw_key_alias
from inventory
