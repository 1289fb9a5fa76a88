-- one row per version of a call of the REST API, in tokens alone: they carry the money. TOKENS_GRANULAR's four kinds are
-- disjoint, output includes reasoning; a call that failed counts nothing
with source as (
    select * from {{ raw_rows('snowflake_cortex', 'rest_api') }}
),

acts as (
    select
        concat(source.account, ':CORTEX_REST_API_USAGE_HISTORY:', source.request_id) as act_id,
        source.source_instance,
        {{ utc('source.started_at') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        source.account as raw_organization,
        source.request_id,
        'per_request' as fidelity,
        'event' as usage_origin,
        nullif(source.model_name, '') as model_name,
        case when source.model_name like '%embed%' then 'embeddings' else 'chat' end as operation,
        case when source.tokens = 0 then 'error' else 'ok' end as status,
        source.inference_region as region,
        {{ milliseconds_between('source.started_at', 'source.ended_at') }} as latency_ms,
        coalesce(source.user_email, source.user_name, source.user_id) as raw_user,
        source.input_tokens as counted_input,
        source.cache_read_tokens as counted_cache_read,
        source.cache_write_tokens as counted_cache_write,
        source.output_tokens as counted_output,
        source.tokens - source.input_tokens - source.cache_read_tokens - source.cache_write_tokens
            - source.output_tokens as misplaced_tokens,
        source.row_hash,
        source.load_id,
        source.source_locator
    from source
),

{{ snowflake_events(['tokens']) }}

select
    {{ snowflake_standard_event(given=['request_id', 'region', 'latency_ms', 'raw_user']) }}
from events
