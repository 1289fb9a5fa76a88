-- one row per version of a proxied call. LiteLLM counts inclusively: prompt_tokens contain cache reads and writes,
-- completion_tokens contain reasoning; here every bucket stands apart
with source as (
    select * from {{ raw_rows('litellm', 'spend_logs') }}
),

renamed as (
    select
        coalesce(source.litellm_call_id, source.request_id) as source_record_id,
        source.source_instance,
        source.request_id,
        nullif(source.session_id, '') as session_id,
        {{ utc('source.start_time') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        coalesce(
            source.request_duration_ms,
            {{ milliseconds_between('source.start_time', 'source.end_time') }}
        ) as latency_ms,
        {{ milliseconds_between('source.start_time', 'source.completion_start_time') }} as ttft_ms,
        nullif(source.custom_llm_provider, '') as provider,
        nullif(source.model_group, '') as model_requested,
        nullif(source.model, '') as model,
        source.call_type,
        source.service_tier,
        case when source.status = 'failure' then 'error' else 'ok' end as status,
        coalesce(lower(source.cache_hit) = 'true', false) as is_gateway_cache_hit,
        cast(coalesce(source.attempted_retries, 0) + 1 as integer) as attempt,
        source.prompt_tokens,
        source.completion_tokens,
        coalesce(source.cached_tokens, 0) as cache_read_tokens,
        coalesce(source.cache_creation_5m_tokens, 0) as written_5m_tokens,
        coalesce(source.cache_creation_1h_tokens, 0) as cache_write_1h_tokens,
        greatest(
            coalesce(source.cache_creation_tokens, 0)
            - coalesce(source.cache_creation_5m_tokens, 0)
            - coalesce(source.cache_creation_1h_tokens, 0),
            0
        ) as written_unsplit_tokens,
        coalesce(source.reasoning_tokens, 0) as reasoning_tokens,
        coalesce(source.audio_input_tokens, 0) as audio_input_tokens,
        coalesce(source.audio_output_tokens, 0) as audio_output_tokens,
        coalesce(source.image_input_tokens, 0) as image_input_tokens,
        coalesce(source.image_output_tokens, 0) as image_output_tokens,
        source.spend,
        nullif(source.organization_id, '') as raw_organization,
        coalesce(nullif(source.team_id, ''), {{ json_text('source.tags', 'team') }}) as raw_team,
        coalesce(nullif(source.user, ''), {{ json_text('source.tags', 'user') }}) as raw_user,
        coalesce(nullif(source.end_user, ''), {{ json_text('source.tags', 'customer') }}) as raw_customer,
        coalesce(nullif(source.agent_id, ''), {{ json_text('source.tags', 'agent') }}) as raw_agent,
        coalesce(
            {{ json_text('source.tags', 'application') }}, {{ json_text('source.tags', 'app') }}
        ) as raw_application,
        {{ json_text('source.tags', 'feature') }} as raw_feature,
        nullif(source.api_key, '') as raw_key_hash,
        nullif(source.user_api_key_alias, '') as raw_key_alias,
        source.tags,
        source.row_hash,
        source.source_locator,
        source.load_id
    from source
),

bucketed as (
    select
        *,
        -- Writes of unknown lifetime count as the provider's default one: 30 minutes at OpenAI, else 5.
        written_5m_tokens
        + case when provider in ('openai', 'azure') then 0 else written_unsplit_tokens end
            as cache_write_5m_tokens,
        case when provider in ('openai', 'azure') then written_unsplit_tokens else 0 end
            as cache_write_30m_tokens,
        cast(0 as bigint) as cache_write_12h_tokens,
        -- A bucket never goes below zero; what does not add up shows as total_mismatch_tokens.
        greatest(
            prompt_tokens - cache_read_tokens - written_5m_tokens - cache_write_1h_tokens
            - written_unsplit_tokens - audio_input_tokens - image_input_tokens,
            0
        ) as input_tokens,
        greatest(
            completion_tokens - reasoning_tokens - audio_output_tokens - image_output_tokens, 0
        ) as output_tokens
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
        'gateway' as evidence_layer,
        'per_request' as fidelity,
        case
            when provider is not null and model like concat(provider, '/%')
                then substr(model, length(provider) + 2)
            else model
        end as model_served,
        case
            when call_type in (
                'acompletion', 'completion', 'aresponses', 'responses', 'anthropic_messages'
            ) then 'chat'
            when call_type in ('aembedding', 'embedding') then 'embeddings'
            when call_type in ('atext_completion', 'text_completion') then 'text_completion'
            when call_type in ('aimage_generation', 'image_generation') then 'image'
            when call_type in ('atranscription', 'transcription', 'aspeech', 'speech') then 'audio'
            when call_type in ('arerank', 'rerank') then 'rerank'
            else call_type
        end as operation,
        -- The source's claim: 0 for tokens that were served and not cached is no claim at all.
        case
            when spend > 0 or is_gateway_cache_hit or status = 'error' then spend
            when total_input_tokens + total_output_tokens > 0 then null
            else spend
        end as reported_cost_usd,
        'estimated' as reported_cost_basis,
        'inclusive' as token_convention,
        prompt_tokens + completion_tokens - total_input_tokens - total_output_tokens
            as total_mismatch_tokens
    from totalled
)

select
    {{ standard_event('litellm', given=[
        'source_instance', 'source_record_id', 'request_id', 'session_id', 'evidence_layer',
        'fidelity', 'occurred_at', 'loaded_at', 'latency_ms', 'ttft_ms', 'provider',
        'model_requested', 'model_served', 'operation', 'service_tier', 'status',
        'is_gateway_cache_hit', 'attempt', 'input_tokens', 'cache_read_tokens',
        'cache_write_5m_tokens', 'cache_write_30m_tokens', 'cache_write_1h_tokens',
        'output_tokens', 'reasoning_tokens', 'audio_input_tokens', 'audio_output_tokens',
        'image_input_tokens', 'image_output_tokens', 'reported_cost_usd', 'reported_cost_basis',
        'token_convention', 'total_mismatch_tokens', 'raw_organization', 'raw_team', 'raw_user',
        'raw_customer', 'raw_agent', 'raw_application', 'raw_feature', 'raw_key_hash',
        'raw_key_alias', 'tags', 'row_hash', 'load_id', 'source_locator',
    ]) }}
from events
