-- one row per billing record as last read: billed units of an hour and SKU; corrections are records of their own with
-- signed quantities, so that all record types sum to what is owed
with source as (
    select * from {{ newest_windows('databricks', 'billing_usage') }}
)

select
    source.record_id,
    source.source_instance,
    source.account_id,
    source.workspace_id,
    source.sku_name,
    source.cloud,
    source.record_type,
    source.billing_origin_product,
    source.serving_type,
    source.usage_type,
    source.endpoint_id,
    coalesce(source.ai_gateway_endpoint_name, source.endpoint_name) as endpoint_name,
    source.run_as,
    source.custom_tags as tags,
    lower(source.usage_unit) as unit,
    source.usage_quantity as quantity,
    cast(source.usage_date as date) as usage_on,
    cast(source.ingestion_date as date) as ingested_on,
    {{ utc('source.usage_start_time') }} as period_start_at,
    {{ utc('source.usage_end_time') }} as period_end_at,
    {{ utc('source.extracted_at') }} as loaded_at,
    source.load_id
from source
