-- one row per version of an invocation through the AI gateway, not yet with its money. Databricks counts inclusively:
-- input_tokens contain cache reads and writes, output_tokens contain reasoning; here every bucket stands apart
with source as (
    select *
    from {{ restated_rows('databricks', 'ai_gateway_usage', ['account_id', 'workspace_id', 'invocation_id']) }}
),

renamed as (
    select
        concat(source.workspace_id, ':', source.invocation_id) as source_record_id,
        source.source_instance,
        source.window_key,
        source.load_id as reading_load_id,
        source.version_load_id,
        source.version_hash,
        source.is_removed,
        source.source_locator,
        source.account_id,
        source.workspace_id,
        source.request_id as gateway_request_id,
        {{ utc('source.event_time') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        source.requester,
        source.endpoint_name,
        source.endpoint_tags,
        source.service_type,
        source.service_name,
        source.destination_type = 'EXTERNAL_FOUNDATION_MODEL' as is_external,
        source.destination_type,
        source.destination_model,
        -- Models that Databricks hosts lie in its own schema of the catalogue.
        case
            when source.destination_name like 'system.ai.%' then substr(source.destination_name, 11)
            else source.destination_name
        end as hosted_name,
        source.api_type,
        source.user_agent,
        source.latency_ms,
        source.time_to_first_byte_ms as ttft_ms,
        case when source.status_code >= 400 then 'error' else 'ok' end as status,
        -- A failed call has no counts and used nothing; a served one without any is metered by the request.
        coalesce(source.status_code, 200) < 400
        and source.input_tokens is null
        and source.output_tokens is null as has_no_counts,
        coalesce(source.input_tokens, 0) as input_count,
        coalesce(source.output_tokens, 0) as output_count,
        source.total_tokens as total_count,
        coalesce(source.cache_read_input_tokens, 0) as cache_read_tokens,
        coalesce(source.cache_creation_input_tokens, 0) as cache_write_5m_tokens,
        coalesce(source.output_reasoning_tokens, 0) as reasoning_tokens,
        source.request_tags
    from source
),

-- A bucket never goes below zero; what does not add up shows as total_mismatch_tokens.
bucketed as (
    select
        *,
        greatest(input_count - cache_read_tokens - cache_write_5m_tokens, 0) as input_tokens,
        greatest(output_count - reasoning_tokens, 0) as output_tokens
    from renamed
)

select
    *,
    -- What the money of an hour is stated by, besides the hour: no provider stands in a call.
    {{ hash_key(['workspace_id', 'destination_model', 'request_tags']) }} as spend_key,
    -- Shares of an hour's money: what a kind of token usually costs against one of plain input, in hundredths.
    case
        when is_external
            then 100 * input_tokens + 10 * cache_read_tokens + 125 * cache_write_5m_tokens
                + 500 * output_tokens + 500 * reasoning_tokens
        else 0
    end as spend_weight
from bucketed
