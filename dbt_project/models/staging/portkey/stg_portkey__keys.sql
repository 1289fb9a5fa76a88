-- one row per API key of the newest reading
select
    source_instance,
    id as raw_key_hash,
    name as raw_key_alias,
    type as key_type,
    status as key_status,
    organisation_id as raw_organization,
    workspace_id as raw_workspace,
    {{ json_text('default_metadata', 'team') }} as raw_team,
    coalesce({{ json_text('default_metadata', '_user') }}, user_id) as raw_user,
    limit_type,
    -- Limits are in dollars, unlike costs; a limit of another type counts tokens or requests.
    case when coalesce(limit_type, 'cost') = 'cost' then credit_limit end as limit_usd,
    case when coalesce(limit_type, 'cost') = 'cost' then alert_threshold end as alert_threshold_usd,
    case when limit_type <> 'cost' then credit_limit end as limit_units,
    periodic_reset,
    periodic_reset_days,
    rate_limits as rate_limits_json,
    {{ utc('next_usage_reset_at') }} as next_usage_reset_at,
    {{ utc('expires_at') }} as expires_at,
    {{ utc('created_at') }} as created_at,
    {{ utc('extracted_at') }} as loaded_at,
    load_id
from {{ newest_windows('portkey', 'keys') }} as stated
