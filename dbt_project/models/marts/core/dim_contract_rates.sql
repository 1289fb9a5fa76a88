-- one row per source instance, name of a rate, currency and range of days: what a unit costs by the source's own sheet
select
    source_instance,
    source,
    rate_name,
    service_type,
    unit,
    {{ money('rate_amount') }} as rate_amount,
    currency_code,
    valid_from_on,
    valid_to_on
from {{ ref('int_prices__contract_rates') }}
