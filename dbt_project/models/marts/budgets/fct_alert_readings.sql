-- one row per alert besides budgets: its value now, against its thresholds; null where there is too little to tell
with alerts as (
    select * from {{ ref('stg_config__alerts') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

owners as (
    select * from {{ ref('dim_entity_owners') }}
    where is_current
),

nodes as (
    select * from {{ ref('int_org__nodes') }}
),

paths as (
    select * from {{ ref('int_org__paths') }}
),

expanded as (
    select * from {{ ref('int_org__expanded') }}
),

coverage as (
    select
        sum(total_tokens) as total_tokens,
        sum(unpriced_tokens) as unpriced_tokens,
        sum(unattributed_owner_tokens) as unattributed_tokens
    from {{ ref('fct_coverage_daily') }}
    inner join current_pass
        on usage_on >= cast(current_pass.as_of - interval '30 days' as date)
),

owner_root as (
    select nodes.entity_key
    from nodes
    left join expanded
        on nodes.entity_key = expanded.entity_key
        and expanded.depth = 1
    where nodes.tree = 'owner' and expanded.entity_key is null
),

-- A rate is of now, an unusual day is told on the day after it, a forecast is of its budget's period.
read as (
    select alert_id, alert_id as subject_id, entity_key, value, facts_json, top_drivers_json,
        timestamp '1970-01-01 00:00:00' as period_start_at, timestamp '9999-12-31 00:00:00' as period_end_at
    from {{ ref('int_alerts__burn_rates') }}
    union all
    select alert_id, alert_id, entity_key, value, facts_json, top_drivers_json,
        date_trunc('day', current_pass.as_of), date_trunc('day', current_pass.as_of) + interval '1 day'
    from {{ ref('int_alerts__anomalies') }}
    cross join current_pass
    union all
    select alert_id, alert_id, entity_key, value, facts_json, top_drivers_json,
        timestamp '1970-01-01 00:00:00', timestamp '9999-12-31 00:00:00'
    from {{ ref('int_alerts__price_changes') }}
    union all
    select alert_id, alert_id, entity_key, value, facts_json, '[]',
        date_trunc('month', current_pass.as_of), date_trunc('month', current_pass.as_of) + interval '1 month'
    from {{ ref('int_alerts__losses') }}
    cross join current_pass
    union all
    select freshness.alert_id, concat(freshness.alert_id, ':', freshness.source_instance), owner_root.entity_key,
        freshness.value, freshness.facts_json, '[]', timestamp '1970-01-01 00:00:00', timestamp '9999-12-31 00:00:00'
    from {{ ref('int_alerts__freshness') }} as freshness
    cross join owner_root
    union all
    select alert_id, concat(alert_id, ':', budget_id), entity_key, value, facts_json, top_drivers_json,
        period_start_at, period_end_at
    from {{ ref('int_alerts__forecasts') }}
    union all
    select
        alerts.alert_id,
        alerts.alert_id,
        owner_root.entity_key,
        case alerts.kind
            when 'unpriced_share' then {{ ratio('coverage.unpriced_tokens', 'coverage.total_tokens') }}
            else {{ ratio('coverage.unattributed_tokens', 'coverage.total_tokens') }}
        end,
        concat('{"days":30,"total_tokens":', cast(coalesce(coverage.total_tokens, 0) as {{ dbt.type_string() }}), '}'),
        '[]',
        timestamp '1970-01-01 00:00:00',
        timestamp '9999-12-31 00:00:00'
    from alerts
    cross join coverage
    cross join owner_root
    where alerts.kind in ('unpriced_share', 'unattributed_share')
)

select
    read.subject_id as alert_id,
    alerts.alert_version,
    alerts.kind,
    read.entity_key,
    nodes.entity_name,
    paths.entity_path,
    nodes.tree,
    read.period_start_at,
    read.period_end_at,
    -- Six places: what it is compared with has no more.
    cast(read.value as decimal(38, 6)) as value,
    cast(alerts.info_threshold as decimal(38, 6)) as info_threshold,
    cast(alerts.warning_threshold as decimal(38, 6)) as warning_threshold,
    cast(alerts.critical_threshold as decimal(38, 6)) as critical_threshold,
    {{ money('alerts.hysteresis_ratio') }} as hysteresis_ratio,
    alerts.renotify_minutes,
    alerts.on_no_data,
    read.facts_json,
    read.top_drivers_json,
    alerts.is_paused,
    alerts.action,
    {{ money('burn_rates.spent_usd') }} as spent_usd,
    burn_rates.moved_by,
    burn_rates.held_reason,
    -- Who is told: endpoints between bars, of an owner without one nobody; null for all that subscribed.
    case when alerts.recipients = 'owner' then concat('|', coalesce(owners.owner_channel, ''), '|') else alerts.recipients end
        as recipients
from read
inner join alerts
    on read.alert_id = alerts.alert_id
left join {{ ref('int_alerts__burn_rates') }} as burn_rates
    on read.alert_id = burn_rates.alert_id
left join nodes
    on read.entity_key = nodes.entity_key
left join paths
    on read.entity_key = paths.entity_key
left join owners
    on read.entity_key = owners.entity_key
