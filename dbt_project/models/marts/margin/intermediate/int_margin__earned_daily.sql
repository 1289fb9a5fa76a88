-- one row per UTC day, customer and feature with use or revenue: what was earned and by which word. A customer with any
-- revenue on a day earns revenue that day, and is not charged for what was metered as well
with metered as (
    select * from {{ ref('int_margin__metered_daily') }}
),

revenue as (
    select
        *,
        coalesce(feature_key, '') as feature_name
    from {{ ref('int_margin__revenue_daily') }}
),

revenue_days as (
    select customer_key, revenue_on
    from revenue
    group by customer_key, revenue_on
),

every_row as (
    select usage_on, customer_key, feature_key from metered
    union
    select revenue_on as usage_on, customer_key, feature_name as feature_key from revenue
)

select
    every_row.usage_on,
    every_row.customer_key,
    every_row.feature_key,
    coalesce(metered.requests_count, 0) as requests_count,
    coalesce(metered.unpriced_requests_count, 0) as unpriced_requests_count,
    coalesce(metered.uncharged_requests_count, 0) as uncharged_requests_count,
    coalesce(metered.effective_cost_usd, 0) as effective_cost_usd,
    coalesce(metered.estimated_cost_usd, 0) as estimated_cost_usd,
    case when metered.charged_requests_count > 0 then metered.charged_usd end as charged_usd,
    revenue.revenue_usd,
    revenue.revenue_on is not null and revenue.revenue_usd is null as is_revenue_unknown,
    case
        when revenue_days.revenue_on is not null then 'revenue'
        when metered.charged_requests_count > 0 then 'charged'
    end as income_basis,
    -- What the income stands against: with revenue all use, else the acts of which charge and cost are both known.
    case
        when revenue_days.revenue_on is not null then coalesce(metered.effective_cost_usd, 0)
        when metered.sold_requests_count > 0 then metered.sold_cost_usd
    end as cost_of_income_usd,
    case
        -- Revenue may name no feature, or another one: what a feature costs counts all the same.
        when revenue_days.revenue_on is not null and revenue.revenue_on is null then -metered.effective_cost_usd
        when revenue_days.revenue_on is not null then revenue.revenue_usd - coalesce(metered.effective_cost_usd, 0)
        when metered.sold_requests_count > 0 then metered.margin_usd
    end as margin_usd
from every_row
left join metered
    on every_row.usage_on = metered.usage_on
    and every_row.customer_key = metered.customer_key
    and every_row.feature_key = metered.feature_key
left join revenue
    on every_row.usage_on = revenue.revenue_on
    and every_row.customer_key = revenue.customer_key
    and every_row.feature_key = revenue.feature_name
left join revenue_days
    on every_row.customer_key = revenue_days.customer_key
    and every_row.usage_on = revenue_days.revenue_on
