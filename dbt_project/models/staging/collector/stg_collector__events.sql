-- one row per version of a pushed event, latest delivery first. Counted inclusively unless the event says `disjoint`:
-- input contains cache reads and writes, output contains reasoning; here every bucket stands apart
{% set columns = [
    'event_id', 'request_id', 'payload_sha256', 'occurred_at', 'evidence_layer', 'fidelity', 'token_convention',
    'status', 'input_tokens', 'output_tokens', 'cached_tokens', 'reasoning_tokens', 'cache_write_tokens',
    'cache_write_5m_tokens', 'cache_write_30m_tokens', 'cache_write_1h_tokens', 'cache_write_12h_tokens',
    'audio_input_tokens', 'audio_output_tokens', 'quantity', 'reported_cost', 'provider', 'model', 'operation',
    'service_tier', 'region', 'unit', 'session_id', 'trace_id', 'raw_organization', 'raw_workspace', 'raw_team',
    'raw_user', 'raw_customer', 'agent_id', 'raw_application', 'raw_feature', 'raw_key_hash', 'raw_key_alias',
    'tags', 'source_instance', 'extracted_at', 'row_hash', 'load_id', 'source_locator',
] | join(', ') %}
with source as (
    select {{ columns }} from {{ raw_rows('collector', 'events') }}
    union all
    select {{ columns }} from {{ raw_rows('collector', 'inbox_events') }}
),

renamed as (
    select
        -- The sender's own id; else the request's; else two events are one where all they say is equal.
        coalesce(event_id, request_id, payload_sha256) as source_record_id,
        source_instance,
        request_id,
        trace_id,
        session_id,
        evidence_layer,
        coalesce(fidelity, 'per_request') as fidelity,
        {{ utc('occurred_at') }} as occurred_at,
        {{ utc('extracted_at') }} as loaded_at,
        provider,
        model,
        operation,
        service_tier,
        region,
        coalesce(status, 'ok') as status,
        coalesce(token_convention, 'inclusive') as token_convention,
        input_tokens as said_input_tokens,
        output_tokens as said_output_tokens,
        coalesce(input_tokens, 0) as counted_input_tokens,
        coalesce(output_tokens, 0) as counted_output_tokens,
        coalesce(cached_tokens, 0) as cache_read_tokens,
        coalesce(cache_write_5m_tokens, 0)
        + case when {{ is_openai_provider() }} then 0 else {{ unsplit_cache_writes() }} end
            as written_5m_tokens,
        coalesce(cache_write_30m_tokens, 0)
        + case when {{ is_openai_provider() }} then {{ unsplit_cache_writes() }} else 0 end
            as written_30m_tokens,
        coalesce(cache_write_1h_tokens, 0) as written_1h_tokens,
        coalesce(cache_write_12h_tokens, 0) as written_12h_tokens,
        coalesce(reasoning_tokens, 0) as thought_tokens,
        coalesce(audio_input_tokens, 0) as heard_tokens,
        coalesce(audio_output_tokens, 0) as spoken_tokens,
        unit,
        quantity,
        reported_cost,
        raw_organization,
        raw_workspace,
        coalesce(raw_team, {{ json_text('tags', 'team') }}) as raw_team,
        coalesce(raw_user, {{ json_text('tags', 'user') }}) as raw_user,
        coalesce(raw_customer, {{ json_text('tags', 'customer') }}) as raw_customer,
        coalesce(agent_id, {{ json_text('tags', 'agent') }}) as raw_agent,
        coalesce(raw_application, {{ json_text('tags', 'application') }}) as raw_application,
        coalesce(raw_feature, {{ json_text('tags', 'feature') }}) as raw_feature,
        raw_key_hash,
        raw_key_alias,
        tags,
        row_hash,
        load_id,
        source_locator
    from source
),

bucketed as (
    select
        *,
        written_5m_tokens as cache_write_5m_tokens,
        written_30m_tokens as cache_write_30m_tokens,
        written_1h_tokens as cache_write_1h_tokens,
        written_12h_tokens as cache_write_12h_tokens,
        thought_tokens as reasoning_tokens,
        heard_tokens as audio_input_tokens,
        spoken_tokens as audio_output_tokens,
        cast(0 as bigint) as image_input_tokens,
        cast(0 as bigint) as image_output_tokens,
        -- A bucket never goes below zero; what does not add up shows as total_mismatch_tokens.
        case
            when token_convention = 'disjoint' then counted_input_tokens
            else greatest(
                counted_input_tokens - cache_read_tokens - written_5m_tokens - written_30m_tokens
                - written_1h_tokens - written_12h_tokens - heard_tokens,
                0
            )
        end as input_tokens,
        case
            when token_convention = 'disjoint' then counted_output_tokens
            else greatest(counted_output_tokens - thought_tokens - spoken_tokens, 0)
        end as output_tokens
    from renamed
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
        case when fidelity = 'aggregate' then 'bucket' else 'event' end as usage_origin,
        model as model_requested,
        model as model_served,
        -- The sender's claim: 0 for tokens that were used is no claim at all.
        case when reported_cost > 0 or counted_tokens = 0 then reported_cost end
            as reported_cost_usd,
        case when reported_cost is not null then 'estimated' end as reported_cost_basis,
        case
            when token_convention = 'inclusive'
                and (said_input_tokens is not null or said_output_tokens is not null)
                then counted_input_tokens + counted_output_tokens - counted_tokens
        end as total_mismatch_tokens
    from totalled
)

select
    {{ standard_event('collector', given=[
        'source_instance', 'source_record_id', 'request_id', 'trace_id', 'session_id',
        'evidence_layer', 'fidelity', 'usage_origin', 'occurred_at', 'loaded_at', 'provider',
        'model_requested', 'model_served', 'operation', 'service_tier', 'region', 'status',
        'input_tokens', 'cache_read_tokens', 'cache_write_5m_tokens', 'cache_write_30m_tokens',
        'cache_write_1h_tokens', 'cache_write_12h_tokens', 'output_tokens', 'reasoning_tokens',
        'audio_input_tokens', 'audio_output_tokens', 'unit', 'quantity', 'reported_cost_usd',
        'reported_cost_basis', 'token_convention', 'total_mismatch_tokens', 'raw_organization',
        'raw_workspace', 'raw_team', 'raw_user', 'raw_customer', 'raw_agent', 'raw_application',
        'raw_feature', 'raw_key_hash', 'raw_key_alias', 'tags', 'row_hash', 'load_id',
        'source_locator',
    ]) }}
from events
