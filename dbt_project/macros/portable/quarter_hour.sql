{# The start of the quarter of an hour (UTC) a timestamp falls in. #}
{% macro quarter_hour(column) -%}
    {{ return(adapter.dispatch('quarter_hour')(column)) }}
{%- endmacro %}

{% macro default__quarter_hour(column) -%}
    time_bucket(interval '15 minutes', {{ column }})
{%- endmacro %}
