-- one row per day and total as last stated: a finer view of the months of the subaccounts asked for, never added to them
with source as (
    select * from {{ newest_windows('sap_joule', 'daily_usage') }}
)

select
    source_instance,
    cast({{ utc('day_at') }} as date) as usage_on,
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
    usage as quantity,
    tags,
    {{ utc('extracted_at') }} as loaded_at
from source
