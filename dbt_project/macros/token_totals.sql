{# Sums of the disjoint buckets of one row. #}
{% macro total_input_tokens() -%}
    input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_30m_tokens
        + cache_write_1h_tokens + cache_write_12h_tokens + audio_input_tokens + image_input_tokens
{%- endmacro %}

{% macro total_output_tokens() -%}
    output_tokens + reasoning_tokens + audio_output_tokens + image_output_tokens
{%- endmacro %}

{# The key of one set of identifiers: attribution is decided once for each, not once an event. #}
{% macro identity_key() -%}
    {{ hash_key([
        'source_instance', 'raw_organization', 'raw_workspace', 'raw_team', 'raw_user', 'raw_customer',
        'raw_agent', 'raw_application', 'raw_feature', 'raw_key_hash', 'raw_key_alias',
    ]) }}
{%- endmacro %}

{# The key of what was used, as its source says it: a price is looked for once for each, not once an event. #}
{% macro model_key() -%}
    {{ hash_key([
        'source_instance', 'provider', 'model_served', 'model_requested', 'region', 'service_tier', 'unit',
    ]) }}
{%- endmacro %}
