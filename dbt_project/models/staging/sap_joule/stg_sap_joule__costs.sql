-- one row per month, account, directory, subaccount, service, plan, measure and SKU: its cost as last stated, in the
-- contract's currency, which is not converted here
with source as (
    select * from {{ newest_windows('sap_joule', 'monthly_cost') }}
)

select
    source_instance,
    window_key as billing_month,
    global_account_id,
    directory_id,
    subaccount_id,
    service_id,
    plan,
    measure_id,
    crm_sku,
    unit,
    currency as currency_code,
    cost_amount,
    case when currency = 'USD' then cost_amount end as reported_cost_usd,
    case when is_estimated then 'estimated' else 'billed' end as reported_cost_basis,
    not is_informational as is_claimed,
    usage as quantity,
    actual_usage as actual_quantity,
    charged_blocks as charged_blocks_quantity,
    quota as quota_quantity,
    payg_cost_amount,
    cloud_credits_cost_amount,
    tags,
    {{ utc('extracted_at') }} as loaded_at
from source
