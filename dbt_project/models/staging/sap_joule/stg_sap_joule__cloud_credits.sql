-- one row per update of a contract phase: credits and what is left of them as last stated, in the contract's currency
with source as (
    select * from {{ newest_windows('sap_joule', 'cloud_credits') }}
)

select
    source_instance,
    global_account_id,
    cast({{ utc('contract_starts_at') }} as date) as contract_starts_on,
    cast({{ utc('contract_ends_at') }} as date) as contract_ends_on,
    cast({{ utc('phase_starts_at') }} as date) as phase_starts_on,
    cast({{ utc('phase_ends_at') }} as date) as phase_ends_on,
    cast({{ utc('stated_at') }} as date) as stated_on,
    currency as currency_code,
    credits_amount,
    balance_amount,
    {{ utc('extracted_at') }} as loaded_at
from source
