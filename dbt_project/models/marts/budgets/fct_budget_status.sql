-- one row per budget and period with use, and always one for the period under way; amounts are in the budget's unit
with budgets as (
    select * from {{ ref('stg_config__budgets') }}
),

drivers as (
    select * from {{ ref('int_budgets__drivers') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

periods as (
    select * from {{ ref('int_budgets__periods') }}
),

trust as (
    select * from {{ ref('int_budgets__trust') }}
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
)

select
    periods.budget_id,
    budgets.budget_version,
    budgets.entity_key,
    nodes.entity_name,
    paths.entity_path,
    nodes.tree,
    budgets.scope,
    budgets.measure,
    budgets.unit,
    {% for name in ['source', 'provider', 'model', 'operation', 'application', 'feature', 'tag'] -%}
    budgets.{{ name }}_filter,
    {% endfor -%}
    budgets.mode,
    budgets.action,
    budgets.is_paused,
    -- Who is told: endpoints between bars, of an owner without one nobody; null for all that subscribed.
    case when budgets.recipients = 'owner' then concat('|', coalesce(owners.owner_channel, ''), '|') else budgets.recipients end
        as recipients,
    budgets.period,
    budgets.timezone,

    periods.period_start_at,
    periods.period_end_at,
    periods.is_current,

    {{ money('periods.amount') }} as amount,
    {{ money('periods.info_threshold') }} as info_threshold,
    {{ money('periods.warning_threshold') }} as warning_threshold,
    {{ money('periods.critical_threshold') }} as critical_threshold,
    {{ money('budgets.hysteresis_ratio') }} as hysteresis_ratio,
    cast(budgets.renotify_minutes as bigint) as renotify_minutes,
    budgets.on_no_data,
    {{ money('periods.used') }} as used,
    {{ money('periods.priced') }} as priced,
    {{ money('periods.estimated') }} as estimated,
    {{ money('periods.amount - periods.used') }} as remaining,
    case
        when periods.used >= periods.critical_threshold then 'critical'
        when periods.used >= periods.warning_threshold then 'warning'
        when periods.used >= periods.info_threshold then 'info'
        else 'ok'
    end as matched_level,
    coalesce(drivers.top_drivers_json, '[]') as top_drivers_json,

    periods.first_usage_at,
    current_pass.as_of,
    trust.fidelity,
    trust.data_lag_ms,
    trust.is_complete,
    trust.held_reason
from periods
inner join budgets
    on periods.budget_id = budgets.budget_id
left join nodes
    on budgets.entity_key = nodes.entity_key
left join paths
    on budgets.entity_key = paths.entity_key
left join owners
    on budgets.entity_key = owners.entity_key
left join drivers
    on periods.budget_id = drivers.budget_id
    and periods.period_start_at = drivers.period_start_at
left join trust
    on periods.budget_id = trust.budget_id
    and periods.period_start_at = trust.period_start_at
cross join current_pass
