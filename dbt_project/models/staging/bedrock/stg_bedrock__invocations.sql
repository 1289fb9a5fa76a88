-- one row per version of a model invocation. Bedrock counts disjointly: inputTokenCount excludes cache reads and
-- writes; output includes reasoning, which is not told apart
with source as (
    select * from {{ source('raw_bedrock', 'invocations') }}
),

completed_loads as (
    select load_id from {{ source('raw_bedrock', '_dlt_loads') }}
    where status = 0
),

renamed as (
    select
        concat(source.account_id, ':', source.region, ':', source.request_id) as source_record_id,
        source.source_instance,
        source.request_id,
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
        source._dlt_load_id as load_id
    from source
    inner join completed_loads
        on source._dlt_load_id = completed_loads.load_id
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
)

select
    -- keys
    {{ hash_key(["'bedrock'", 'source_instance', 'source_record_id']) }} as usage_key,
    'bedrock' as source,
    source_instance,
    source_record_id,
    request_id,
    cast(null as {{ dbt.type_string() }}) as trace_id,
    cast(null as {{ dbt.type_string() }}) as session_id,

    -- evidence
    'provider_log' as evidence_layer,
    'per_request' as fidelity,
    'event' as usage_origin,
    false as is_informational,

    -- time
    occurred_at,
    cast(occurred_at as date) as usage_on,
    cast(null as timestamp) as period_start_at,
    cast(null as timestamp) as period_end_at,
    loaded_at,
    latency_ms,
    ttft_ms,

    -- what
    'aws_bedrock' as provider,
    model_id as model_requested,
    model_id as model_served,
    case when model_id like '%embed%' then 'embeddings' else 'chat' end as operation,
    cast(null as {{ dbt.type_string() }}) as service_tier,
    region,
    status,
    false as is_gateway_cache_hit,
    cast(1 as integer) as attempt,

    -- tokens
    input_tokens,
    cache_read_tokens,
    cache_write_5m_tokens,
    cache_write_30m_tokens,
    cache_write_1h_tokens,
    cache_write_12h_tokens,
    output_tokens,
    reasoning_tokens,
    audio_input_tokens,
    audio_output_tokens,
    image_input_tokens,
    image_output_tokens,
    total_input_tokens,
    total_output_tokens,
    total_input_tokens + total_output_tokens as total_tokens,
    case when has_no_counts then 'requests' end as unit,
    case when has_no_counts then cast(1 as decimal(38, 15)) end as quantity,

    -- the source's claim: none
    cast(null as decimal(38, 15)) as reported_cost_usd,
    cast(null as {{ dbt.type_string() }}) as reported_cost_basis,
    'disjoint' as token_convention,
    input_token_count + cache_read_tokens + written_tokens + output_tokens
        - total_input_tokens - total_output_tokens as total_mismatch_tokens,

    -- who
    raw_organization,
    cast(null as {{ dbt.type_string() }}) as raw_workspace,
    raw_team,
    raw_user,
    raw_customer,
    raw_agent,
    raw_application,
    raw_feature,
    cast(null as {{ dbt.type_string() }}) as raw_key_hash,
    cast(null as {{ dbt.type_string() }}) as raw_key_alias,
    tags,

    -- version
    row_hash,
    load_id,
    source_locator,
    richness
from totalled
