{# Logged calls as standard events, from a relation with the columns of a spend log row: pulled and pushed ones alike.
   `richness`: where a call has both, the higher one's row counts. #}
{% macro litellm_calls(relation, richness=0) -%}
with source as (
    select * from {{ relation }}
),

renamed as (
    select
        {{ litellm_call_fields() | indent(4) }},
        cast({{ richness }} as bigint) as richness
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
        'source_instance', 'source_record_id', 'request_id', 'call_id', 'response_id', 'provider_request_id', 'session_id', 'evidence_layer',
        'fidelity', 'occurred_at', 'loaded_at', 'latency_ms', 'ttft_ms', 'provider',
        'model_requested', 'model_served', 'operation', 'service_tier', 'status',
        'is_gateway_cache_hit', 'attempt', 'input_tokens', 'cache_read_tokens',
        'cache_write_5m_tokens', 'cache_write_30m_tokens', 'cache_write_1h_tokens',
        'output_tokens', 'reasoning_tokens', 'audio_input_tokens', 'audio_output_tokens',
        'image_input_tokens', 'image_output_tokens', 'reported_cost_usd', 'reported_cost_basis',
        'token_convention', 'total_mismatch_tokens', 'raw_organization', 'raw_team', 'raw_user',
        'raw_customer', 'raw_agent', 'raw_application', 'raw_feature', 'raw_key_hash',
        'raw_key_alias', 'tags', 'row_hash', 'load_id', 'source_locator', 'richness',
    ]) }}
from events
{%- endmacro %}
