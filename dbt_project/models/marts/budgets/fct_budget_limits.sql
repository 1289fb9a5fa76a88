-- one row per budget that asks for limits, in its period under way: what its limits need to know beside where it stands
with statuses as (
    select * from {{ ref('fct_budget_status') }}
    where is_current and action is not null
),

budgets as (
    select * from {{ ref('stg_config__budgets') }}
),

budget_use as (
    select * from {{ ref('int_budgets__use') }}
),

lag as (
    select * from {{ ref('fct_source_lag') }}
),

moved as (
    select * from {{ ref('int_budgets__moved') }}
),

-- What is used and not yet read: as fast as of late, for as long as the data of its source travel. A pace goes on from one
-- period to the next; how long the data of a source travel that was never measured is not known.
travelling as (
    select
        budget_use.budget_id,
        sum(
            {{ money_times(
                'greatest(budget_use.last_hour_use, ' ~ money_times('budget_use.last_day_use', '0.041667') ~ ')',
                'cast(lag.lag_p95_minutes * 0.016667 as decimal(18, 6))',
            ) }}
        ) as travelling_use,
        min(case when lag.lag_p95_minutes is null then budget_use.source_instance end) as unmeasured_source
    from budget_use
    left join lag
        on budget_use.source_instance = lag.source_instance
    where budget_use.last_day_use > 0
    group by budget_use.budget_id
),

ranked as (
    select
        *,
        sum(moved_use) over (partition by budget_id, period_start_at) as all_moved_use,
        row_number() over (partition by budget_id, period_start_at order by moved_use desc, reason) as reason_rank
    from moved
)

select
    statuses.budget_id,
    statuses.period_start_at,
    statuses.action,
    budgets.requests_per_minute,
    -- Never more than half: a source that is read once a day would limit its keys from the first use on. Unknown is no zero.
    case
        when travelling.budget_id is null then {{ money('0') }}
        when travelling.travelling_use is not null
            then {{ money("least(
                travelling.travelling_use,
                " ~ money_times('coalesce(statuses.critical_threshold, statuses.amount)', '0.5') ~ "
            )") }}
    end as headroom,
    travelling.unmeasured_source,
    {{ money('greatest(coalesce(ranked.all_moved_use, 0), 0)') }} as moved_use,
    case when ranked.all_moved_use > 0 then ranked.reason end as moved_by
from statuses
inner join budgets
    on statuses.budget_id = budgets.budget_id
left join travelling
    on statuses.budget_id = travelling.budget_id
left join ranked
    on statuses.budget_id = ranked.budget_id
    and statuses.period_start_at = ranked.period_start_at
    and ranked.reason_rank = 1
