-- one row per key of a proxy, as the proxy last listed it
with source as (
    select * from {{ newest_windows('litellm', 'keys') }}
)

select
    source_instance,
    token as key_hash,
    nullif(key_alias, '') as key_alias,
    nullif(team_id, '') as team_id,
    nullif(user_id, '') as user_id,
    nullif(organization_id, '') as organization_id,
    coalesce(blocked, false) as is_blocked,
    max_budget as limit_usd,
    budget_duration as limit_period,
    {{ utc('extracted_at') }} as extracted_at
from source
