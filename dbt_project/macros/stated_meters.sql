{# The meters that a price of a request is compiled from, as the price file states them. #}
{% macro stated_meters() -%}
    {{ return([
        'input', 'cache_read', 'cache_write', 'cache_write_1h', 'cache_write_12h', 'output', 'reasoning',
        'audio_input', 'audio_output', 'image_input', 'image_output', 'request', 'search',
    ]) }}
{%- endmacro %}

{# The lines a resolved price has a rate for: `r_<line>`, and `src_<line>`: explicit or fallback. #}
{% macro resolved_lines() -%}
    {{ return(token_kinds() + ['request']) }}
{%- endmacro %}
