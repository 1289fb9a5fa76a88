-- one row per version of a spend record: the dollars of one hour, provider, model and set of tags
with source as (
    select * from {{ restated_rows('databricks', 'external_model_spend', ['record_id']) }}
)

select
    source.record_id,
    source.source_instance,
    source.window_key,
    source.load_id as reading_load_id,
    source.version_load_id,
    source.version_hash,
    source.is_removed,
    source.source_locator,
    source.account_id,
    source.workspace_id,
    {{ utc('source.usage_start_time') }} as period_start_at,
    {{ utc('source.usage_end_time') }} as period_end_at,
    {{ utc('source.extracted_at') }} as loaded_at,
    source.usage_unit,
    source.usage_quantity,
    -- Only dollars can be split over calls or claimed as a cost.
    case when source.usage_unit = 'USD' then source.usage_quantity end as spent_usd,
    source.provider,
    source.model,
    source.request_tags,
    {{ hash_key(['source.workspace_id', 'source.model', 'source.request_tags']) }} as spend_key
from source
