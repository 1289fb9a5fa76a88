-- one row per account, day and service type: the credits Snowflake metered, to tie usage out with
select
    metering.source_instance,
    metering.account as account_name,
    cast({{ utc('metering.started_at') }} as date) as usage_on,
    metering.service_type,
    metering.credits_used,
    metering.credits_used_compute,
    metering.credits_used_cloud_services,
    metering.credits_adjustment_cloud_services,
    metering.credits_billed,
    {{ utc('metering.extracted_at') }} as loaded_at,
    metering.load_id
from {{ newest_windows('snowflake_cortex', 'metering_daily') }} as metering
