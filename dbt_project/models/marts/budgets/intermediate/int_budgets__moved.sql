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

restatements as (
    select * from {{ ref('fct_restatements') }}
    where reason in ('price', 'config', 'attribution')
),

price_changes as (
    select * from {{ ref('fct_price_changes') }}
    where impact_usd > 0
),

budget_use as (
    select * from {{ ref('int_budgets__use') }}
),

expanded as (
    select * from {{ ref('int_org__expanded') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

placed as (
    {{ in_both_trees('restatements') }}
),

restated as (
    select
        budgets.budget_id,
        periods.period_start_at,
        placed.reason,
        sum(case budgets.measure
            when 'cost' then placed.effective_cost_usd
            when 'tokens' then placed.total_tokens
            when 'requests' then placed.requests_count
        end) as moved_use
    from budgets
    inner join periods
        on budgets.budget_id = periods.budget_id
    cross join current_pass
    inner join expanded
        on budgets.entity_key = expanded.ancestor_key
        and current_pass.as_of >= expanded.valid_from_at
        and current_pass.as_of < expanded.valid_to_at
        and (budgets.scope = 'consolidated' or expanded.depth = 0)
    inner join placed
        on expanded.entity_key = placed.node_key
        and expanded.tree = placed.tree
        and placed.usage_on >= cast(periods.period_start_at as date)
        and (
            budgets.rolling_minutes is null
            or placed.usage_on >= cast(current_pass.as_of - (interval '1 minute') * budgets.rolling_minutes as date)
        )
        and {{ budget_counts('budgets', 'placed', filters=['source', 'provider', 'model']) }}
    group by
        budgets.budget_id,
        periods.period_start_at,
        placed.reason
),

-- Of a model whose price went up in this period, the part of its use that the old price would not have cost.
dearer_models as (
    select
        periods.budget_id,
        periods.period_start_at,
        price_changes.price_key as model_id,
        max({{ ratio('price_changes.impact_usd', 'price_changes.new_list_cost_usd') }}) as dearer_ratio
    from periods
    inner join price_changes
        on price_changes.known_at >= periods.period_start_at
    group by
        periods.budget_id,
        periods.period_start_at,
        price_changes.price_key
),

dearer as (
    select
        budget_use.budget_id,
        budget_use.period_start_at,
        sum({{ money_times('budget_use.priced_use', 'cast(dearer_models.dearer_ratio as decimal(9, 6))') }}) as moved_use
    from budget_use
    inner join budgets
        on budget_use.budget_id = budgets.budget_id
        and budgets.measure = 'cost'
    inner join dearer_models
        on budget_use.budget_id = dearer_models.budget_id
        and budget_use.period_start_at = dearer_models.period_start_at
        and budget_use.model_id = dearer_models.model_id
    group by
        budget_use.budget_id,
        budget_use.period_start_at
),

-- A price that went up restates what is in the period and makes dearer what comes: one of the two is counted.
united as (
    select budget_id, period_start_at, reason, moved_use from restated
    union all
    select budget_id, period_start_at, 'price' as reason, moved_use from dearer
)

select
    budget_id,
    period_start_at,
    reason,
    {{ money('max(moved_use)') }} as moved_use
from united
group by
    budget_id,
    period_start_at,
    reason
