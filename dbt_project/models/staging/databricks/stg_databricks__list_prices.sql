-- one row per SKU, cloud, currency, unit and price start, as last read: the list price of one unit; contracts may differ
with source as (
    select * from {{ newest_windows('databricks', 'list_prices') }}
)

select
    source.source_instance,
    source.account_id,
    source.sku_name,
    source.cloud,
    source.currency_code,
    lower(source.usage_unit) as unit,
    source.default_price as default_amount_per_unit,
    source.promotional_price as promotional_amount_per_unit,
    coalesce(source.effective_list_price, source.default_price) as list_amount_per_unit,
    {{ utc('source.price_start_time') }} as valid_from_at,
    {{ utc('source.price_end_time') }} as valid_to_at,
    {{ utc('source.extracted_at') }} as loaded_at,
    source.load_id
from source
