-- one row per budget and calendar period with use, and always one for the period under way
with budgets as (
    select * from {{ ref('stg_config__budgets') }}
),

budget_use as (
    select * from {{ ref('int_budgets__use') }}
),

drivers as (
    select * from {{ ref('int_budgets__drivers') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

freshness as (
    select * from {{ ref('fct_source_freshness') }}
),

nodes as (
    select * from {{ ref('int_org__nodes') }}
),

paths as (
    select * from {{ ref('int_org__paths') }}
),

-- A budget rests on the sources its use came from.
stale as (
    select
        budget_use.budget_id,
        budget_use.period_start_at,
        min(budget_use.source_instance) as source_instance
    from budget_use
    inner join freshness
        on budget_use.source_instance = freshness.source_instance
        and freshness.is_stale
    group by
        budget_use.budget_id,
        budget_use.period_start_at
),

used as (
    select
        budget_id,
        period_start_at,
        min(first_usage_at) as first_usage_at,
        sum(priced_use) as priced_usd,
        sum(estimated_use) as estimated_usd
    from budget_use
    group by
        budget_id,
        period_start_at
),

current_periods as (
    select
        budgets.budget_id,
        {{ period_start('budgets.period', 'current_pass.as_of', 'budgets.timezone') }} as period_start_at
    from budgets
    cross join current_pass
),

periods as (
    select budget_id, period_start_at from used
    union
    select budget_id, period_start_at from current_periods
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
    budgets.mode,
    budgets.action,
    budgets.period,
    budgets.timezone,

    periods.period_start_at,
    {{ period_end('budgets.period', 'periods.period_start_at', 'budgets.timezone') }} as period_end_at,
    current_periods.budget_id is not null as is_current,

    {{ money('budgets.amount_usd') }} as amount_usd,
    {{ money('budgets.info_threshold_usd') }} as info_threshold_usd,
    {{ money('budgets.warning_threshold_usd') }} as warning_threshold_usd,
    {{ money('budgets.critical_threshold_usd') }} as critical_threshold_usd,
    {{ money('coalesce(used.priced_usd, 0) + coalesce(used.estimated_usd, 0)') }} as used_usd,
    {{ money('coalesce(used.priced_usd, 0)') }} as priced_usd,
    {{ money('coalesce(used.estimated_usd, 0)') }} as estimated_usd,
    {{ money('budgets.amount_usd - coalesce(used.priced_usd, 0) - coalesce(used.estimated_usd, 0)') }}
        as remaining_usd,
    case
        when used.priced_usd + used.estimated_usd >= budgets.critical_threshold_usd then 'critical'
        when used.priced_usd + used.estimated_usd >= budgets.warning_threshold_usd then 'warning'
        when used.priced_usd + used.estimated_usd >= budgets.info_threshold_usd then 'info'
        else 'ok'
    end as matched_level,
    coalesce(drivers.top_drivers_json, '[]') as top_drivers_json,

    used.first_usage_at,
    current_pass.as_of,
    stale.budget_id is null as is_complete,
    case when stale.budget_id is not null then concat('stale source: ', stale.source_instance) end
        as held_reason
from periods
inner join budgets
    on periods.budget_id = budgets.budget_id
left join nodes
    on budgets.entity_key = nodes.entity_key
left join paths
    on budgets.entity_key = paths.entity_key
left join used
    on periods.budget_id = used.budget_id
    and periods.period_start_at = used.period_start_at
left join drivers
    on periods.budget_id = drivers.budget_id
    and periods.period_start_at = drivers.period_start_at
left join stale
    on periods.budget_id = stale.budget_id
    and periods.period_start_at = stale.period_start_at
left join current_periods
    on periods.budget_id = current_periods.budget_id
    and periods.period_start_at = current_periods.period_start_at
cross join current_pass
