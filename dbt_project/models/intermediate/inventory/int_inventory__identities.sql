-- one row per listed identifier, with its own and its owners' where the standard event carries them: rules see it as
-- they see usage, before it is used
with inventory as (
    select * from {{ ref('int_inventory__unioned') }}
)

select
    inventory.*,
    {{ hash_key(["'listed'", 'source_instance', 'identity_kind', 'identifier']) }} as identity_key,
    organization_identifier as raw_organization,
    workspace_identifier as raw_workspace,
    case when identity_kind = 'team' then identifier else team_identifier end as raw_team,
    case
        when identity_kind = 'user' then identifier
        -- OpenRouter's calls name no user: whoever made a key is not who its use counts for.
        when source <> 'openrouter' then user_identifier
    end as raw_user,
    cast(null as {{ dbt.type_string() }}) as raw_customer,
    case when identity_kind = 'agent' then identifier end as raw_agent,
    cast(null as {{ dbt.type_string() }}) as raw_application,
    cast(null as {{ dbt.type_string() }}) as raw_feature,
    case when identity_kind = 'key' then identifier end as raw_key_hash,
    case when identity_kind = 'key' then identity_name end as raw_key_alias
from inventory
