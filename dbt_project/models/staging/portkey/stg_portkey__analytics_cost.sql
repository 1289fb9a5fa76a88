-- one row per workspace and day (UTC), as last stated: what all calls of the day cost by Portkey's own count, which
-- lacks what it has no price for
select
    source_instance,
    workspace_slug as raw_workspace,
    cast({{ utc('day_at') }} as date) as usage_on,
    case when cost_unit = 'usd' then total else {{ money('total * 0.01') }} end as reported_cost_usd,
    data_points_count,
    {{ utc('extracted_at') }} as loaded_at,
    load_id
from {{ newest_windows('portkey', 'analytics_cost') }} as stated
