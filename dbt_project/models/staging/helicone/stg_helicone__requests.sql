-- one row per version of a logged request. Helicone's newer rows count cache reads and writes apart from prompt_tokens,
-- older rows as the provider did (OpenAI: inside); the two cannot be told apart, so that every column stands as a
-- bucket of its own (helicone_auto) and Helicone's cost is the one to trust
with source as (
    select * from {{ raw_rows('helicone', 'requests') }}
),

renamed as (
    select
        source.request_id as source_record_id,
        source.source_instance,
        -- What LiteLLM's callback may pass on is the key that other sources know the call by.
        coalesce({{ json_text('source.properties', 'litellm_call_id') }}, source.request_id)
            as request_id,
        {{ json_text('source.properties', 'litellm_call_id') }} as call_id,
        nullif(source.session_id, '') as session_id,
        {{ utc('source.request_created_at') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        source.delay_ms as latency_ms,
        source.time_to_first_token as ttft_ms,
        case
            when upper(source.provider) = 'CUSTOM' then coalesce(source.target_host, 'custom')
            else lower(nullif(source.provider, ''))
        end as provider,
        nullif(source.request_model, '') as model_served,
        {{ operation_of_path('source.target_path') }} as operation,
        case
            when coalesce(source.response_status, 200) between 100 and 399 then 'ok'
            else 'error'
        end as status,
        coalesce(
            nullif(source.cache_reference_id, '') <> '00000000-0000-0000-0000-000000000000', false
        ) as is_gateway_cache_hit,
        coalesce(source.prompt_tokens, 0) as input_tokens,
        coalesce(source.prompt_cache_read_tokens, 0) as cache_read_tokens,
        coalesce(source.prompt_cache_write_tokens, 0) as written_tokens,
        coalesce(source.completion_tokens, 0) as output_tokens,
        source.prompt_tokens is null or source.completion_tokens is null as lacks_counts,
        -- Helicone's total is that of prompt and completion only.
        source.total_tokens - coalesce(source.prompt_tokens, 0) - coalesce(source.completion_tokens, 0)
            as total_mismatch_tokens,
        source.cost,
        {{ json_text('source.properties', 'team') }} as raw_team,
        coalesce(
            nullif(source.request_user_id, ''), {{ json_text('source.properties', 'user') }}
        ) as raw_user,
        coalesce(
            {{ json_text('source.properties', 'customer') }},
            {{ json_text('source.properties', 'customer_id') }}
        ) as raw_customer,
        {{ json_text('source.properties', 'agent') }} as raw_agent,
        coalesce(
            {{ json_text('source.properties', 'application') }},
            {{ json_text('source.properties', 'app') }}
        ) as raw_application,
        {{ json_text('source.properties', 'feature') }} as raw_feature,
        source.properties as tags,
        source.row_hash,
        source.source_locator,
        source.richness,
        source.load_id
    from source
),

events as (
    select
        *,
        'observability' as evidence_layer,
        'per_request' as fidelity,
        -- Writes of unknown lifetime count as the provider's default one: 30 minutes at OpenAI, else 5.
        case when provider in ('openai', 'azure') then 0 else written_tokens end
            as cache_write_5m_tokens,
        case when provider in ('openai', 'azure') then written_tokens else 0 end
            as cache_write_30m_tokens,
        -- A cost of 0 for what was served means that Helicone knew no price, unless its cache answered.
        case
            when cost = 0
                and status = 'ok'
                and not is_gateway_cache_hit
                and (
                    lacks_counts
                    or input_tokens + cache_read_tokens + written_tokens + output_tokens > 0
                )
                then null
            else cost
        end as reported_cost_usd,
        'estimated' as reported_cost_basis,
        'helicone_auto' as token_convention
    from renamed
)

select
    {{ standard_event('helicone', given=[
        'source_instance', 'source_record_id', 'request_id', 'call_id', 'session_id', 'evidence_layer',
        'fidelity', 'occurred_at', 'loaded_at', 'latency_ms', 'ttft_ms', 'provider', 'model_served',
        'operation', 'status', 'is_gateway_cache_hit', 'input_tokens', 'cache_read_tokens',
        'cache_write_5m_tokens', 'cache_write_30m_tokens', 'output_tokens', 'reported_cost_usd',
        'reported_cost_basis', 'token_convention', 'total_mismatch_tokens', 'raw_team', 'raw_user',
        'raw_customer', 'raw_agent', 'raw_application', 'raw_feature', 'tags', 'row_hash', 'load_id',
        'source_locator', 'richness',
    ]) }}
from events
