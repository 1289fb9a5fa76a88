{# Whole milliseconds from one UTC timestamp to a later one; null where either is. #}
{% macro milliseconds_between(start_at, end_at) -%}
    {{ return(adapter.dispatch('milliseconds_between')(start_at, end_at)) }}
{%- endmacro %}

{% macro default__milliseconds_between(start_at, end_at) -%}
    cast(date_diff('millisecond', {{ start_at }}, {{ end_at }}) as bigint)
{%- endmacro %}
