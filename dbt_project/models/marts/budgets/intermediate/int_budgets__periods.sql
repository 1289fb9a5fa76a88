-- one row per budget and period with use, and always one for the period under way: its bounds, what there is to spend, its
-- thresholds and its use, in the budget's unit
with budgets as (
    select * from {{ ref('stg_config__budgets') }}
),

budget_use as (
    select * from {{ ref('int_budgets__use') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

used as (
    select
        budget_id,
        period_start_at,
        min(first_usage_at) as first_usage_at,
        sum(priced_use) as priced,
        sum(estimated_use) as estimated
    from budget_use
    group by
        budget_id,
        period_start_at
),

current_periods as (
    select
        budgets.budget_id,
        {{ period_start('budgets', 'current_pass.as_of') }} as period_start_at
    from budgets
    cross join current_pass
    -- What has ended or not begun is nobody's to spend from, and limits no key.
    where (budgets.valid_from_at is null or current_pass.as_of >= budgets.valid_from_at)
        and (budgets.valid_to_at is null or current_pass.as_of < budgets.valid_to_at)
),

periods as (
    select budget_id, period_start_at from used
    union
    select budget_id, period_start_at from current_periods
),

increases as (
    select * from {{ ref('stg_config__budget_increases') }}
),

bounded as (
    select
        periods.budget_id,
        periods.period_start_at,
        {{ period_end('budgets', 'periods.period_start_at') }} as period_end_at,
        current_periods.budget_id is not null as is_current
    from periods
    inner join budgets
        on periods.budget_id = budgets.budget_id
    left join current_periods
        on periods.budget_id = current_periods.budget_id
        and periods.period_start_at = current_periods.period_start_at
),

-- An increase counts while it lasts; in a period that is over, if it lasted to its end.
increased as (
    select
        bounded.budget_id,
        bounded.period_start_at,
        sum(increases.amount) as amount
    from bounded
    cross join current_pass
    inner join increases
        on bounded.budget_id = increases.budget_id
        and (
            case when bounded.is_current then current_pass.as_of >= increases.valid_from_at
                else bounded.period_end_at > increases.valid_from_at end
        )
        and (
            case when bounded.is_current then current_pass.as_of < increases.valid_to_at
                else bounded.period_end_at <= increases.valid_to_at end
        )
    group by
        bounded.budget_id,
        bounded.period_start_at
),

measured as (
    select
        bounded.*,
        budgets.amount + coalesce(increased.amount, 0) as amount,
        coalesce(used.priced, 0) as priced,
        coalesce(used.estimated, 0) as estimated,
        coalesce(used.priced, 0) + coalesce(used.estimated, 0) as used,
        used.first_usage_at
    from bounded
    inner join budgets
        on bounded.budget_id = budgets.budget_id
    left join increased
        on bounded.budget_id = increased.budget_id
        and bounded.period_start_at = increased.period_start_at
    left join used
        on bounded.budget_id = used.budget_id
        and bounded.period_start_at = used.period_start_at
),

levelled as (
    select
        measured.*
        {%- for level in ['info', 'warning', 'critical'] %},
        case
            when budgets.threshold_kind = 'absolute' then budgets.{{ level }}_level
            else {{ money_times('measured.amount', 'cast(budgets.' ~ level ~ '_level as decimal(18, 6))') }}
        end as {{ level }}_threshold
        {%- endfor %}
    from measured
    inner join budgets
        on measured.budget_id = budgets.budget_id
)

select * from levelled
