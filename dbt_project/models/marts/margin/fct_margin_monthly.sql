-- one row per calendar month (UTC) and customer: what was earned, what all its use and its part of shared charges cost, and
-- what is left. Null where nothing is known to be earned; what is unpriced stands beside it as an estimate
with earned as (
    select * from {{ ref('int_margin__earned_daily') }}
),

nodes as (
    select * from {{ ref('int_org__nodes') }}
    where tree = 'customer'
),

allocations as (
    select * from {{ ref('fct_charge_allocations') }}
    where tree = 'customer'
),

lines as (
    select
        cast(date_trunc('month', usage_on) as date) as month_on,
        customer_key,
        requests_count,
        unpriced_requests_count,
        case income_basis when 'revenue' then revenue_usd when 'charged' then charged_usd end as income_usd,
        case when income_basis = 'revenue' then 1 else 0 end as is_revenue,
        case when is_revenue_unknown then 1 else 0 end as is_unknown,
        effective_cost_usd,
        estimated_cost_usd,
        0 as charge_cost_usd
    from earned
    union all
    select
        cast(date_trunc('month', charged_on) as date) as month_on,
        entity_key as customer_key,
        0 as requests_count,
        0 as unpriced_requests_count,
        null as income_usd,
        0 as is_revenue,
        0 as is_unknown,
        0 as effective_cost_usd,
        0 as estimated_cost_usd,
        effective_cost_usd as charge_cost_usd
    from allocations
),

summed as (
    select
        month_on,
        customer_key,
        cast(sum(requests_count) as bigint) as requests_count,
        cast(sum(unpriced_requests_count) as bigint) as unpriced_requests_count,
        sum(is_revenue) > 0 as has_revenue,
        -- A part of it that is not known makes the whole unknown.
        case when sum(is_unknown) = 0 then {{ money('sum(income_usd)') }} end as income_usd,
        {{ money('sum(effective_cost_usd)') }} as usage_cost_usd,
        {{ money('sum(charge_cost_usd)') }} as charge_cost_usd,
        {{ money('sum(estimated_cost_usd)') }} as estimated_cost_usd
    from lines
    group by month_on, customer_key
),

compared as (
    select
        summed.*,
        summed.usage_cost_usd + summed.charge_cost_usd as effective_cost_usd,
        nodes.entity_type in ('internal', 'unattributed') as is_nobody
    from summed
    left join nodes
        on summed.customer_key = nodes.entity_key
)

select
    month_on,
    customer_key,
    case when income_usd is null then null when has_revenue then 'revenue' else 'charged' end as income_basis,

    requests_count,
    unpriced_requests_count,

    income_usd,
    usage_cost_usd,
    charge_cost_usd,
    {{ money('effective_cost_usd') }} as effective_cost_usd,
    estimated_cost_usd,
    {{ money('income_usd - effective_cost_usd') }} as margin_usd,
    -- Charge-backs cover a part of what the company uses itself: that is no loss.
    coalesce(income_usd < effective_cost_usd and not is_nobody, false) as is_negative,
    {{ ratio('income_usd - effective_cost_usd', 'income_usd') }} as margin_ratio,
    {{ ratio('income_usd - effective_cost_usd', 'effective_cost_usd') }} as markup_ratio
from compared
