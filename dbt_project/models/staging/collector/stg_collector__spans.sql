-- one row per delivery of an inference span. By the convention input contains cache reads and writes and output contains
-- reasoning; an emitter whose cache counts exceed its input keeps them apart. Here every bucket stands apart
with source as (
    select * from {{ raw_rows('collector', 'spans') }}
),

-- Traces of which we see the calls themselves: what an agent span says of them is shown, not costed.
traces_with_calls as (
    select
        source_instance,
        trace_id
    from source
    where operation is distinct from 'invoke_agent'
    group by
        source_instance,
        trace_id
),

counted as (
    select
        source.*,
        traces_with_calls.trace_id is not null as is_informational,
        coalesce(input_tokens, 0) as said_input_tokens,
        coalesce(output_tokens, 0) as said_output_tokens,
        coalesce(cache_write_tokens, 0) as written_tokens,
        coalesce(audio_input_tokens, 0) as heard_tokens,
        coalesce(image_input_tokens, 0) as seen_tokens,
        coalesce(reasoning_tokens, 0) + coalesce(audio_output_tokens, 0)
        + coalesce(image_output_tokens, 0) as apart_output_tokens,
        case
            when token_convention is not null then token_convention
            when coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
                > coalesce(input_tokens, 0) then 'input_excludes_cache'
            else 'inclusive'
        end as convention
    from source
    left join traces_with_calls
        on source.operation = 'invoke_agent'
        and source.source_instance = traces_with_calls.source_instance
        and source.trace_id = traces_with_calls.trace_id
),

bucketed as (
    select
        source_instance,
        concat(trace_id, ':', span_id) as source_record_id,
        coalesce(litellm_call_id, response_id) as request_id,
        litellm_call_id as call_id,
        response_id,
        concat(trace_id, ':', span_id) as span_key,
        trace_id,
        session_id,
        evidence_layer,
        is_informational,
        {{ utc('start_time') }} as occurred_at,
        {{ utc('extracted_at') }} as loaded_at,
        {{ milliseconds_between('start_time', 'end_time') }} as latency_ms,
        provider,
        request_model,
        response_model,
        operation,
        service_tier,
        region,
        status,
        convention as token_convention,
        -- A bucket never goes below zero; what does not add up shows as total_mismatch_tokens.
        case convention
            when 'inclusive' then greatest(
                said_input_tokens - coalesce(cache_read_tokens, 0) - written_tokens
                - heard_tokens - seen_tokens,
                0
            )
            when 'disjoint' then said_input_tokens
            else greatest(said_input_tokens - heard_tokens - seen_tokens, 0)
        end as input_tokens,
        coalesce(cache_read_tokens, 0) as cache_read_tokens,
        -- Spans tell no lifetime: the provider's default one.
        case when {{ is_openai_provider() }} then 0 else written_tokens end as cache_write_5m_tokens,
        case when {{ is_openai_provider() }} then written_tokens else 0 end as cache_write_30m_tokens,
        cast(0 as bigint) as cache_write_1h_tokens,
        cast(0 as bigint) as cache_write_12h_tokens,
        case
            when convention = 'disjoint' then said_output_tokens
            else greatest(said_output_tokens - apart_output_tokens, 0)
        end as output_tokens,
        coalesce(reasoning_tokens, 0) as reasoning_tokens,
        heard_tokens as audio_input_tokens,
        coalesce(audio_output_tokens, 0) as audio_output_tokens,
        seen_tokens as image_input_tokens,
        coalesce(image_output_tokens, 0) as image_output_tokens,
        -- Served without any count: metered by the request, which no token price covers.
        input_tokens is null and output_tokens is null and status = 'ok' as has_no_counts,
        case
            when total_tokens is not null then total_tokens
            when convention = 'inclusive' then said_input_tokens + said_output_tokens
        end as said_tokens,
        reported_cost,
        raw_organization,
        coalesce(raw_team, {{ json_text('tags', 'team') }}) as raw_team,
        coalesce(raw_user, {{ json_text('tags', 'user') }}) as raw_user,
        coalesce(raw_customer, {{ json_text('tags', 'customer') }}) as raw_customer,
        coalesce(raw_agent, {{ json_text('tags', 'agent') }}) as raw_agent,
        raw_application,
        {{ json_text('tags', 'feature') }} as raw_feature,
        raw_key_hash,
        raw_key_alias,
        tags,
        row_hash,
        load_id,
        source_locator
    from counted
),

totalled as (
    select
        *,
        {{ total_input_tokens() }} + {{ total_output_tokens() }} as counted_tokens
    from bucketed
),

events as (
    select
        *,
        'per_request' as fidelity,
        request_model as model_requested,
        coalesce(response_model, request_model) as model_served,
        case when has_no_counts then 'requests' end as unit,
        case when has_no_counts then cast(1 as decimal(38, 15)) end as quantity,
        -- The emitter's claim: 0 for tokens that were used is no claim at all.
        case when reported_cost > 0 or counted_tokens = 0 then reported_cost end
            as reported_cost_usd,
        case when reported_cost is not null then 'estimated' end as reported_cost_basis,
        said_tokens - counted_tokens as total_mismatch_tokens
    from totalled
)

select
    {{ standard_event('otel', given=[
        'source_instance', 'source_record_id', 'request_id', 'call_id', 'response_id', 'span_key', 'trace_id', 'session_id',
        'evidence_layer', 'fidelity', 'is_informational', 'occurred_at', 'loaded_at',
        'latency_ms', 'provider', 'model_requested', 'model_served', 'operation', 'service_tier',
        'region', 'status', 'input_tokens', 'cache_read_tokens', 'cache_write_5m_tokens',
        'cache_write_30m_tokens', 'output_tokens', 'reasoning_tokens', 'audio_input_tokens',
        'audio_output_tokens', 'image_input_tokens', 'image_output_tokens', 'unit', 'quantity',
        'reported_cost_usd', 'reported_cost_basis', 'token_convention', 'total_mismatch_tokens',
        'raw_organization', 'raw_team', 'raw_user', 'raw_customer', 'raw_agent',
        'raw_application', 'raw_feature', 'raw_key_hash', 'raw_key_alias', 'tags', 'row_hash',
        'load_id', 'source_locator',
    ]) }}
from events
