{# The columns of the standard usage event in their order, for the union of all systems: the one list. #}
{% macro standard_event_columns() -%}
    {{ return([
        'usage_key', 'source', 'source_instance', 'source_record_id', 'request_id', 'trace_id', 'session_id',
        'evidence_layer', 'fidelity', 'usage_origin', 'is_informational',
        'occurred_at', 'usage_on', 'period_start_at', 'period_end_at', 'loaded_at', 'latency_ms', 'ttft_ms',
        'provider', 'model_requested', 'model_served', 'operation', 'service_tier', 'region', 'status',
        'is_gateway_cache_hit', 'attempt',
        'input_tokens', 'cache_read_tokens', 'cache_write_5m_tokens', 'cache_write_30m_tokens',
        'cache_write_1h_tokens', 'cache_write_12h_tokens', 'output_tokens', 'reasoning_tokens',
        'audio_input_tokens', 'audio_output_tokens', 'image_input_tokens', 'image_output_tokens',
        'total_input_tokens', 'total_output_tokens', 'total_tokens', 'unit', 'quantity',
        'reported_cost_usd', 'reported_cost_basis', 'token_convention', 'total_mismatch_tokens',
        'raw_organization', 'raw_workspace', 'raw_team', 'raw_user', 'raw_customer', 'raw_agent',
        'raw_application', 'raw_feature', 'raw_key_hash', 'raw_key_alias', 'tags', 'identity_key',
        'model_key', 'row_hash', 'load_id', 'source_locator', 'richness',
    ]) }}
{%- endmacro %}

{# The columns that a system gives of an event, of its removal and of the ids others know it by; keys of what it names are
   taken over all systems. #}
{% macro given_event_columns() -%}
    {%- set given = standard_event_columns() | reject('in', ['identity_key', 'model_key']) | list -%}
    {{ return(given + ['call_id', 'response_id', 'provider_request_id', 'span_key', 'is_removed']) }}
{%- endmacro %}
