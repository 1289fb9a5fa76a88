-- one row per month and total as last stated, of every service: what the changes in stg_sap_joule__monthly_usage sum to,
-- and which measures no meter knows (`unmapped`) or are no AI (`other`)
with source as (
    select * from {{ newest_windows('sap_joule', 'monthly_usage') }}
)

select
    source_instance,
    window_key as usage_month,
    global_account_id,
    directory_id,
    subaccount_id,
    environment_instance_id,
    space_id,
    instance_id,
    application,
    service_id,
    plan,
    measure_id,
    unit,
    unit = 'unmapped' as is_unmapped,
    is_informational,
    case when aggregation = 'max' then max(usage) else sum(usage) end as quantity,
    max({{ utc('extracted_at') }}) as loaded_at
from source
group by
    source_instance,
    window_key,
    global_account_id,
    directory_id,
    subaccount_id,
    environment_instance_id,
    space_id,
    instance_id,
    application,
    service_id,
    plan,
    measure_id,
    unit,
    is_informational,
    aggregation
