{# The twelve disjoint kinds of token: `<kind>_tokens` counts them, `list_<kind>_cost_usd` prices them. #}
{% macro token_kinds() -%}
    {{ return([
        'input', 'cache_read', 'cache_write_5m', 'cache_write_30m', 'cache_write_1h', 'cache_write_12h',
        'output', 'reasoning', 'audio_input', 'audio_output', 'image_input', 'image_output',
    ]) }}
{%- endmacro %}

{# The lines that a list cost consists of: the token kinds, the fee of a request, and what is counted instead of tokens. #}
{% macro cost_lines() -%}
    {{ return(token_kinds() + ['request', 'unit']) }}
{%- endmacro %}
