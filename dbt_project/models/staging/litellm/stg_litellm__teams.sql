-- one row per team of a proxy, as the proxy last listed it
with source as (
    select * from {{ newest_windows('litellm', 'teams') }}
)

select
    source_instance,
    team_id,
    nullif(team_alias, '') as team_alias,
    nullif(organization_id, '') as organization_id,
    coalesce(blocked, false) as is_blocked,
    max_budget as limit_usd,
    budget_duration as limit_period,
    {{ utc('extracted_at') }} as extracted_at
from source
