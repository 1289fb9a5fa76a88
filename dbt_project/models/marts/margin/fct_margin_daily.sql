-- one row per UTC day, customer and feature: what was earned, what its use cost, and what is left. Acts of which charge or
-- cost is unknown have no margin: they are counted beside it
with earned as (
    select * from {{ ref('int_margin__earned_daily') }}
)

select
    usage_on,
    customer_key,
    nullif(feature_key, '') as feature_key,
    income_basis,

    cast(requests_count as bigint) as requests_count,
    cast(unpriced_requests_count as bigint) as unpriced_requests_count,
    cast(uncharged_requests_count as bigint) as uncharged_requests_count,

    {{ money('effective_cost_usd') }} as effective_cost_usd,
    {{ money('estimated_cost_usd') }} as estimated_cost_usd,
    {{ money('charged_usd') }} as charged_usd,
    {{ money('revenue_usd') }} as revenue_usd,
    {{ money('cost_of_income_usd') }} as cost_of_income_usd,
    {{ money('margin_usd') }} as margin_usd,
    {{ ratio('margin_usd', 'margin_usd + cost_of_income_usd') }} as margin_ratio,
    {{ ratio('margin_usd', 'cost_of_income_usd') }} as markup_ratio
from earned
