-- one row per version of a model invocation. Bedrock counts disjointly: inputTokenCount excludes cache reads and
-- writes; output includes reasoning, which is not told apart
with source as (
    select * from {{ raw_rows('bedrock', 'invocations') }}
),

renamed as (
    select
        concat(source.account_id, ':', source.region, ':', source.request_id) as source_record_id,
        source.source_instance,
        source.request_id,
        source.request_id as provider_request_id,
        source.response_id,
        coalesce(
            {{ json_text('source.request_metadata', 'litellm_call_id') }},
            {{ json_text('source.request_metadata', 'call_id') }}
        ) as call_id,
        {{ utc('source.timestamp') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        source.latency_ms,
        source.first_byte_latency_ms as ttft_ms,
        source.model_id,
        source.operation as api_operation,
        source.region,
        case when source.error_code is null then 'ok' else 'error' end as status,
        coalesce(source.input_token_count, 0) as input_token_count,
        coalesce(source.cache_read_input_token_count, 0) as cache_read_tokens,
        coalesce(source.cache_write_input_token_count, 0) as written_tokens,
        coalesce(source.cache_write_5m_token_count, 0) as written_5m_tokens,
        coalesce(source.cache_write_1h_token_count, 0) as cache_write_1h_tokens,
        coalesce(source.output_token_count, 0) as output_tokens,
        -- What was served without any count is metered by the request, which no token price covers.
        source.error_code is null
        and source.input_token_count is null
        and source.output_token_count is null as has_no_counts,
        source.account_id as raw_organization,
        {{ json_text('source.request_metadata', 'team') }} as raw_team,
        coalesce(
            {{ json_text('source.request_metadata', 'user') }}, source.identity_arn
        ) as raw_user,
        {{ json_text('source.request_metadata', 'customer') }} as raw_customer,
        {{ json_text('source.request_metadata', 'agent') }} as raw_agent,
        {{ json_text('source.request_metadata', 'application') }} as raw_application,
        {{ json_text('source.request_metadata', 'feature') }} as raw_feature,
        source.request_metadata as tags,
        source.row_hash,
        source.source_locator,
        source.richness,
        source.load_id
    from source
),

bucketed as (
    select
        *,
        -- OpenAI models were measured with writes and reads inside the input: taken as such where they fit.
        case
            when model_id like '%openai.%'
                and cache_read_tokens + written_tokens > 0
                and input_token_count >= cache_read_tokens + written_tokens
                then input_token_count - cache_read_tokens - written_tokens
            else input_token_count
        end as input_tokens,
        -- Writes of unknown lifetime count as the default one, 5 minutes.
        greatest(written_tokens - cache_write_1h_tokens, written_5m_tokens) as cache_write_5m_tokens,
        cast(0 as bigint) as cache_write_30m_tokens,
        cast(0 as bigint) as cache_write_12h_tokens,
        cast(0 as bigint) as reasoning_tokens,
        cast(0 as bigint) as audio_input_tokens,
        cast(0 as bigint) as audio_output_tokens,
        cast(0 as bigint) as image_input_tokens,
        cast(0 as bigint) as image_output_tokens
    from renamed
),

totalled as (
    select
        *,
        {{ total_input_tokens() }} as total_input_tokens,
        {{ total_output_tokens() }} as total_output_tokens
    from bucketed
),

events as (
    select
        *,
        'provider_log' as evidence_layer,
        'per_request' as fidelity,
        'aws_bedrock' as provider,
        model_id as model_requested,
        model_id as model_served,
        case when model_id like '%embed%' then 'embeddings' else 'chat' end as operation,
        case when has_no_counts then 'requests' end as unit,
        case when has_no_counts then cast(1 as decimal(38, 15)) end as quantity,
        'disjoint' as token_convention,
        input_token_count + cache_read_tokens + written_tokens + output_tokens
            - total_input_tokens - total_output_tokens as total_mismatch_tokens
    from totalled
)

select
    {{ standard_event('bedrock', given=[
        'source_instance', 'source_record_id', 'request_id', 'call_id', 'provider_request_id', 'response_id', 'evidence_layer', 'fidelity',
        'occurred_at', 'loaded_at', 'latency_ms', 'ttft_ms', 'provider', 'model_requested',
        'model_served', 'operation', 'region', 'status', 'input_tokens', 'cache_read_tokens',
        'cache_write_5m_tokens', 'cache_write_1h_tokens', 'output_tokens', 'unit', 'quantity',
        'token_convention', 'total_mismatch_tokens', 'raw_organization', 'raw_team', 'raw_user',
        'raw_customer', 'raw_agent', 'raw_application', 'raw_feature', 'tags', 'row_hash',
        'load_id', 'source_locator', 'richness',
    ]) }}
from events
