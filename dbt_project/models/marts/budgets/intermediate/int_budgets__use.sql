-- one row per budget, period (of the budget's zone), owner of the use, model and gateway key: what was used, in the budget's
-- unit
with quarter_hours as (
    select * from {{ ref('int_spend__quarter_hours') }}
),

budgets as (
    select * from {{ ref('stg_config__budgets') }}
),

expanded as (
    select * from {{ ref('int_org__expanded') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

-- Each event has a place in both trees; a budget stands on a node of one of them.
placed as (
    {{ in_both_trees('quarter_hours') }}
),

budgeted as (
    select
        placed.*,
        budgets.budget_id,
        budgets.measure,
        {{ period_start('budgets', 'placed.bucket_start_at') }} as period_start_at,
        placed.bucket_start_at >= current_pass.as_of - interval '1 hour' as is_last_hour,
        placed.bucket_start_at >= current_pass.as_of - interval '24 hours' as is_last_day
    from placed
    cross join current_pass
    inner join expanded
        on placed.node_key = expanded.entity_key
        and placed.tree = expanded.tree
        and placed.bucket_start_at >= expanded.valid_from_at
        and placed.bucket_start_at < expanded.valid_to_at
    inner join budgets
        on expanded.ancestor_key = budgets.entity_key
        and (budgets.scope = 'consolidated' or expanded.depth = 0)
        and (budgets.valid_from_at is null or placed.bucket_start_at >= budgets.valid_from_at)
        and (budgets.valid_to_at is null or placed.bucket_start_at < budgets.valid_to_at)
        -- The last minutes up to now, in whole quarters of an hour.
        and (
            budgets.rolling_minutes is null
            or placed.bucket_start_at >= current_pass.as_of - (interval '1 minute') * budgets.rolling_minutes
        )
        and {{ budget_counts('budgets', 'placed') }}
),

measured as (
    select
        *,
        case measure
            when 'cost' then effective_cost_usd
            when 'charged' then charged_usd
            when 'tokens' then total_tokens
            when 'quantity' then quantity
            else requests_count
        end as priced,
        case when measure = 'cost' then estimated_cost_usd else 0 end as estimated
    from budgeted
)

select
    budget_id,
    period_start_at,
    entity_key,
    model_id,
    source,
    source_instance,
    raw_key_hash,
    raw_key_alias,
    min(bucket_start_at) as first_usage_at,
    -- Cost counts what is unpriced by its estimate: a new model must not escape its budget (DESIGN D7).
    {{ money('sum(priced)') }} as priced_use,
    {{ money('sum(estimated)') }} as estimated_use,
    -- How fast it is used, for what is used and not yet read.
    {{ money('sum(case when is_last_hour then coalesce(priced, 0) + coalesce(estimated, 0) else 0 end)') }} as last_hour_use,
    {{ money('sum(case when is_last_day then coalesce(priced, 0) + coalesce(estimated, 0) else 0 end)') }} as last_day_use
from measured
group by
    budget_id,
    period_start_at,
    entity_key,
    model_id,
    source,
    source_instance,
    raw_key_hash,
    raw_key_alias
