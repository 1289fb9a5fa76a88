-- one row per budget and period with use, and always one for the period under way; amounts are in the budget's unit
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

periods as (
    select * from {{ ref('int_budgets__periods') }}
),

freshness as (
    select * from {{ ref('fct_source_freshness') }}
),

owners as (
    select * from {{ ref('dim_entity_owners') }}
    where is_current
),

price_reviews as (
    select * from {{ ref('fct_price_reviews') }}
    where kind = 'rate' and status = 'waiting'
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

-- And on prices that may be others once somebody has looked.
in_review as (
    select
        budget_use.budget_id,
        budget_use.period_start_at,
        min(budget_use.model_id) as model_id
    from budget_use
    inner join price_reviews
        on budget_use.model_id = price_reviews.subject
    group by
        budget_use.budget_id,
        budget_use.period_start_at
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
    stale.budget_id is null as is_complete,
    case
        when stale.budget_id is not null then concat('stale source: ', stale.source_instance)
        when in_review.budget_id is not null and budgets.measure in ('cost', 'charged')
            then concat('price to be reviewed: ', in_review.model_id)
    end as held_reason
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
left join stale
    on periods.budget_id = stale.budget_id
    and periods.period_start_at = stale.period_start_at
left join in_review
    on periods.budget_id = in_review.budget_id
    and periods.period_start_at = in_review.period_start_at
cross join current_pass
