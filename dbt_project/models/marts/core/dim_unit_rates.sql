-- one row per known rate of a unit that is no token, what it holds for and range of time
select
    unit_rate_key,
    rate_origin,
    provider,
    nullif(source_instance, '') as source_instance,
    nullif(model_name, '') as model_name,
    nullif(service_tier, '') as service_tier,
    unit,
    rate_usd_per_unit,
    currency_code,
    rate_name,
    is_offered,
    url,
    checked_on,
    valid_from_at,
    valid_to_at
from {{ ref('int_prices__unit_offers') }}
