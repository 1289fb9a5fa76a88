-- one row per contract, account, day and usage type: what a unit of it costs, in the contract's currency
select
    rates.source_instance,
    rates.account,
    cast({{ utc('rates.started_at') }} as date) as rate_on,
    rates.organization_name,
    rates.contract_number,
    rates.account_name,
    rates.account_locator,
    rates.region,
    rates.service_level,
    rates.usage_type,
    rates.rating_type,
    rates.service_type,
    rates.billing_type,
    rates.is_adjustment,
    rates.currency as currency_code,
    rates.effective_rate as effective_rate_amount,
    {{ utc('rates.extracted_at') }} as loaded_at,
    rates.load_id
from {{ newest_windows('snowflake_cortex', 'rate_sheet_daily') }} as rates
