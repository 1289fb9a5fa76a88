-- one row per budget that asks for limits, period under way and reason: use that is in it because a price, the configuration or
-- an attribution changed, and would not be otherwise. Of the budget's filter, what restatements name: source, provider, model
with budgets as (
    select * from {{ ref('stg_config__budgets') }}
    where action is not null
),

periods as (
    select * from {{ ref('int_budgets__periods') }}
    where is_current
),

expanded as (
    select * from {{ ref('int_org__expanded') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

price_changes as (
    select * from {{ ref('fct_price_changes') }}
),

-- Totals of a day (UTC) stand where its noon stands.
restatements as (
    select
        restated.*,
        least(cast(restated.usage_on as timestamp) + interval '12 hours', current_pass.as_of) as restated_at
    from {{ ref('int_usage__restated') }} as restated
    cross join current_pass
    where restated.reason in ('price', 'config', 'attribution')
),

budgeted_restatements as (
    {{ budgeted_acts('restatements', at='restated_at', filters=['source', 'provider', 'model']) }}
),

restated as (
    select
        budget_id,
        period_start_at,
        reason,
        sum(coalesce({{ priced_use() }}, 0) + coalesce({{ estimated_use() }}, 0)) as moved_use
    from budgeted_restatements
    group by
        budget_id,
        period_start_at,
        reason
),

-- Of use after a change of its price, the part that the price before the period (or window) would not have cost; a fall takes
-- back what a rise before it added.
price_steps as (
    select
        periods.budget_id,
        periods.period_start_at,
        price_changes.price_key as model_id,
        price_changes.known_at as from_at,
        lead(price_changes.known_at) over (
            partition by periods.budget_id, periods.period_start_at, price_changes.price_key
            order by price_changes.known_at, price_changes.price_version_key
        ) as to_at,
        1 - exp(
            sum(
                ln({{ ratio(
                    'greatest(price_changes.old_list_cost_usd, 0.000000001)',
                    'greatest(price_changes.new_list_cost_usd, 0.000000001)'
                ) }})
            ) over (
                partition by periods.budget_id, periods.period_start_at, price_changes.price_key
                order by price_changes.known_at, price_changes.price_version_key
            )
        ) as dearer_ratio
    from periods
    inner join budgets
        on periods.budget_id = budgets.budget_id
    cross join current_pass
    inner join price_changes
        on price_changes.known_at >= periods.period_start_at
        and (
            budgets.rolling_minutes is null
            or price_changes.known_at >= current_pass.as_of - (interval '1 minute') * budgets.rolling_minutes
        )
),

dearer_models as (
    select model_id
    from price_steps
    where dearer_ratio > 0
    group by model_id
),

quarter_hours as (
    select quarter_hours.*
    from {{ ref('int_spend__quarter_hours') }} as quarter_hours
    inner join dearer_models
        on quarter_hours.model_id = dearer_models.model_id
),

budgeted_use as (
    {{ budgeted_acts('quarter_hours', at='bucket_start_at') }}
),

dearer as (
    select
        budgeted_use.budget_id,
        budgeted_use.period_start_at,
        sum({{ money_times(priced_use(), 'cast(greatest(price_steps.dearer_ratio, 0) as decimal(9, 6))') }}) as moved_use
    from budgeted_use
    inner join price_steps
        on budgeted_use.budget_id = price_steps.budget_id
        and budgeted_use.period_start_at = price_steps.period_start_at
        and budgeted_use.model_id = price_steps.model_id
        and budgeted_use.bucket_start_at >= price_steps.from_at
        and (price_steps.to_at is null or budgeted_use.bucket_start_at < price_steps.to_at)
    where budgeted_use.measure in ('cost', 'charged')
        and price_steps.dearer_ratio > 0
    group by
        budgeted_use.budget_id,
        budgeted_use.period_start_at
),

-- A price restates what was used before it was known, and makes dearer what is used since: no use is in both.
united as (
    select budget_id, period_start_at, reason, moved_use from restated
    union all
    select budget_id, period_start_at, 'price' as reason, moved_use from dearer
)

select
    united.budget_id,
    united.period_start_at,
    united.reason,
    {{ money('sum(united.moved_use)') }} as moved_use
from united
inner join periods
    on united.budget_id = periods.budget_id
    and united.period_start_at = periods.period_start_at
group by
    united.budget_id,
    united.period_start_at,
    united.reason
