{# Langfuse's observations (a CTE `source`) as standard events: one shape, whether the API or the export told them.
   Of two versions the one updated later counts, of two of the same update the one with `updated_first` '1': the API
   knows the whole trace, the export only its file. #}
{% macro langfuse_events(updated_first) -%}
renamed as (
    select
        concat(source.project_id, ':', source.id) as source_record_id,
        source.source_instance,
        coalesce(source.litellm_call_id, source.response_id) as request_id,
        source.litellm_call_id as call_id,
        source.response_id,
        source.provider_request_id,
        source.trace_id || ':' || source.id as span_key,
        nullif(source.trace_id, '') as trace_id,
        nullif(source.session_id, '') as session_id,
        coalesce(source.has_usage_below, false) as is_informational,
        {{ utc('source.start_time') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        {{ milliseconds_between('source.start_time', 'source.end_time') }} as told_latency_ms,
        {{ milliseconds_between('source.start_time', 'source.completion_start_time') }} as told_ttft_ms,
        source.type,
        nullif(source.provided_model_name, '') as model_served,
        case
            when source.provided_model_name like '%/%'
                then lower(split_part(source.provided_model_name, '/', 1))
        end as model_prefix,
        lower(source.metadata_provider) as metadata_provider,
        case when source.level = 'ERROR' then 'error' else 'ok' end as status,
        coalesce(source.input_tokens, 0) as input_tokens,
        coalesce(source.cache_read_tokens, 0) as cache_read_tokens,
        coalesce(source.cache_write_5m_tokens, 0) as written_5m_tokens,
        coalesce(source.cache_write_1h_tokens, 0) as cache_write_1h_tokens,
        coalesce(source.cache_write_unsplit_tokens, 0) as written_unsplit_tokens,
        coalesce(source.output_tokens, 0) as output_tokens,
        coalesce(source.reasoning_tokens, 0) as reasoning_tokens,
        coalesce(source.audio_input_tokens, 0) as audio_input_tokens,
        coalesce(source.audio_output_tokens, 0) as audio_output_tokens,
        coalesce(source.image_input_tokens, 0) as image_input_tokens,
        coalesce(source.image_output_tokens, 0) as image_output_tokens,
        source.total_mismatch_tokens,
        source.unit,
        source.quantity,
        source.total_cost as reported_cost_usd,
        -- Steps that used nothing are no usage; a call that failed is, though it counts nothing.
        source.usage_details is not null
        or coalesce(source.total_cost, 0) > 0
        or (source.total_cost = 0 and source.type in ('GENERATION', 'EMBEDDING')) as is_usage,
        source.project_id as raw_workspace,
        coalesce(source.metadata_team, {{ json_text('source.tags', 'team') }}) as raw_team,
        coalesce(
            nullif(source.user_id, ''), source.metadata_user, {{ json_text('source.tags', 'user') }}
        ) as raw_user,
        coalesce(source.metadata_customer, {{ json_text('source.tags', 'customer') }}) as raw_customer,
        coalesce(
            source.agent_name,
            source.metadata_agent,
            {{ json_text('source.tags', 'agent') }},
            nullif(source.trace_name, '')
        ) as raw_agent,
        coalesce(
            source.metadata_application,
            {{ json_text('source.tags', 'application') }},
            {{ json_text('source.tags', 'app') }}
        ) as raw_application,
        coalesce(source.metadata_feature, {{ json_text('source.tags', 'feature') }}) as raw_feature,
        source.metadata_key_hash as raw_key_hash,
        coalesce(source.metadata_key_alias, {{ json_text('source.tags', 'key_alias') }}) as raw_key_alias,
        source.tags,
        coalesce(
            {{ milliseconds_between("timestamp '1970-01-01 00:00:00'", utc('source.updated_at')) }}, 0
        ) * 2 + {{ updated_first }} as richness,
        source.row_hash,
        source.source_locator,
        source.load_id
    from source
),

paid as (
    select
        *,
        -- Who is paid: the route in front of the model's name, what the client noted, else whose name it is.
        case
            when model_prefix in ('bedrock', 'bedrock_converse') then 'aws_bedrock'
            when model_prefix in (
                'openai', 'azure', 'azure_ai', 'anthropic', 'gemini', 'vertex_ai', 'mistral', 'cohere',
                'groq', 'deepseek', 'xai', 'openrouter', 'together_ai', 'fireworks_ai', 'perplexity',
                'databricks', 'snowflake', 'hosted_vllm', 'ollama'
            ) then model_prefix
            when metadata_provider in ('bedrock', 'bedrock_converse') then 'aws_bedrock'
            when metadata_provider is not null then metadata_provider
            when model_served like 'gpt-%' or model_served like 'chatgpt-%' then 'openai'
            when model_served like 'o1%' or model_served like 'o3%' or model_served like 'o4%' then 'openai'
            when model_served like 'text-embedding-%' then 'openai'
            when model_served like 'claude-%' then 'anthropic'
            when model_served like 'gemini-%' then 'gemini'
            when model_served like 'mistral-%' then 'mistral'
            when model_served like '%anthropic.claude-%' then 'aws_bedrock'
            when model_served like '%amazon.nova-%' then 'aws_bedrock'
            when model_served like '%amazon.titan-%' then 'aws_bedrock'
        end as provider
    from renamed
),

events as (
    select
        *,
        -- A version without usage is none: it takes back what an earlier one said.
        not is_usage as is_removed,
        'observability' as evidence_layer,
        'per_request' as fidelity,
        case when told_latency_ms >= 0 then told_latency_ms end as latency_ms,
        case when told_ttft_ms >= 0 then told_ttft_ms end as ttft_ms,
        case
            when type = 'GENERATION' then 'chat'
            when type = 'EMBEDDING' then 'embeddings'
            else lower(type)
        end as operation,
        -- Writes of unknown lifetime count as the provider's default one: 30 minutes at OpenAI, else 5.
        written_5m_tokens
        + case when provider in ('openai', 'azure') then 0 else written_unsplit_tokens end
            as cache_write_5m_tokens,
        case when provider in ('openai', 'azure') then written_unsplit_tokens else 0 end
            as cache_write_30m_tokens,
        'estimated' as reported_cost_basis,
        'disjoint' as token_convention
    from paid
)

select
    {{ standard_event('langfuse', given=[
        'source_instance', 'source_record_id', 'request_id', 'call_id', 'response_id', 'provider_request_id', 'span_key', 'trace_id', 'session_id',
        'evidence_layer', 'fidelity', 'is_informational', 'occurred_at', 'loaded_at', 'latency_ms',
        'ttft_ms', 'provider', 'model_served', 'operation', 'status', 'input_tokens',
        'cache_read_tokens', 'cache_write_5m_tokens', 'cache_write_30m_tokens',
        'cache_write_1h_tokens', 'output_tokens', 'reasoning_tokens', 'audio_input_tokens',
        'audio_output_tokens', 'image_input_tokens', 'image_output_tokens', 'unit', 'quantity',
        'reported_cost_usd', 'reported_cost_basis', 'token_convention', 'total_mismatch_tokens',
        'raw_workspace', 'raw_team', 'raw_user', 'raw_customer', 'raw_agent', 'raw_application',
        'raw_feature', 'raw_key_hash', 'raw_key_alias', 'tags', 'row_hash', 'load_id',
        'source_locator', 'richness', 'is_removed',
    ]) }}
from events
{%- endmacro %}
