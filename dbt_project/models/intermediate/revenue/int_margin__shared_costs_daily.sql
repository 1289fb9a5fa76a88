-- one row per UTC day, customer and feature (null: none): its parts of the day's charges. Customers' parts are all of the
-- charges: what none of them shares is internal
with allocations as (
    select * from {{ ref('fct_charge_allocations') }}
    where tree = 'customer'
)

select
    charged_on,
    entity_key as customer_key,
    feature_key,

    cast(count(*) - count(effective_cost_usd) as bigint) as unpriced_lines_count,
    {{ money('coalesce(sum(effective_cost_usd), 0)') }} as shared_cost_usd
from allocations
group by
    charged_on,
    entity_key,
    feature_key
