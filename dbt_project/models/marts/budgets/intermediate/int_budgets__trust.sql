-- one row per budget and period: how fine and whether whole the data are that it rests on, and why its limits are held if they are not
with periods as (
    select * from {{ ref('int_budgets__periods') }}
),

budgets as (
    select * from {{ ref('stg_config__budgets') }}
),

budget_use as (
    select * from {{ ref('int_budgets__use') }}
),

budget_sources as (
    select * from {{ ref('int_budgets__sources') }}
),

freshness as (
    select * from {{ ref('fct_source_freshness') }}
),

held_sources as (
    select * from {{ ref('int_trust__held_sources') }}
),

price_reviews as (
    select * from {{ ref('fct_price_reviews') }}
    where kind = 'rate' and status = 'waiting'
),

-- A period rests on the sources that its use came from, and on those of its budget that were last read before its end: what they
-- did not give may be use.
rests_on as (
    select
        budget_id,
        period_start_at,
        source_instance,
        fidelity
    from budget_use
    union
    select
        periods.budget_id,
        periods.period_start_at,
        budget_sources.source_instance,
        budget_sources.fidelity
    from periods
    inner join budget_sources
        on periods.budget_id = budget_sources.budget_id
    inner join freshness
        on budget_sources.source_instance = freshness.source_instance
        and freshness.last_read_at < periods.period_end_at
),

-- Of a source that is declared no more nothing is awaited, so it is not late.
told as (
    select
        rests_on.budget_id,
        rests_on.period_start_at,
        {{ common_fidelity('rests_on.fidelity') }} as fidelity,
        max(freshness.read_age_ms) as data_lag_ms
    from rests_on
    left join freshness
        on rests_on.source_instance = freshness.source_instance
        and freshness.source is not null
    group by
        rests_on.budget_id,
        rests_on.period_start_at
),

held as (
    select
        rests_on.budget_id,
        rests_on.period_start_at,
        min(held_sources.held_reason) as held_reason
    from rests_on
    inner join held_sources
        on rests_on.source_instance = held_sources.source_instance
    group by
        rests_on.budget_id,
        rests_on.period_start_at
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
    periods.period_start_at,
    told.fidelity,
    told.data_lag_ms,
    held.budget_id is null as is_complete,
    case
        when held.budget_id is not null then held.held_reason
        when in_review.budget_id is not null and budgets.measure in ('cost', 'charged')
            then concat('price to be reviewed: ', in_review.model_id)
    end as held_reason
from periods
inner join budgets
    on periods.budget_id = budgets.budget_id
left join told
    on periods.budget_id = told.budget_id
    and periods.period_start_at = told.period_start_at
left join held
    on periods.budget_id = held.budget_id
    and periods.period_start_at = held.period_start_at
left join in_review
    on periods.budget_id = in_review.budget_id
    and periods.period_start_at = in_review.period_start_at
