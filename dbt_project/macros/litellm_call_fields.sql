{# A call as LiteLLM logged it, under our names; counts are still as LiteLLM counts them, inclusively. #}
{% macro litellm_call_fields() -%}
    coalesce(source.litellm_call_id, source.request_id) as source_record_id,
    source.source_instance,
    source.request_id,
    source.litellm_call_id as call_id,
    source.request_id as response_id,
    source.provider_request_id,
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
{%- endmacro %}
