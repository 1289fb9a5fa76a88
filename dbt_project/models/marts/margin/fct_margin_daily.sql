-- one row per UTC day, customer and feature: what was charged for metered use, what it cost, and what is left. Acts of which
-- charge or cost is unknown have no margin: they are counted beside it
with metered as (
    select * from {{ ref('int_margin__metered_daily') }}
)

select
    usage_on,
    customer_key,
    nullif(feature_key, '') as feature_key,

    requests_count,
    unpriced_requests_count,
    uncharged_requests_count,
    sold_requests_count,

    effective_cost_usd,
    estimated_cost_usd,
    case when sold_requests_count > 0 then sold_cost_usd end as sold_cost_usd,
    case when uncharged_requests_count < requests_count then charged_usd end as charged_usd,
    case when sold_requests_count > 0 then margin_usd end as margin_usd,
    -- Shares of income and of cost; what is multiplied or summed is never one of them.
    {{ ratio('margin_usd', 'margin_usd + sold_cost_usd') }} as margin_ratio,
    {{ ratio('margin_usd', 'sold_cost_usd') }} as markup_ratio
from metered
