{# A text as a JSON string; null becomes JSON's null. #}
{% macro json_quote(column) -%}
    {{ return(adapter.dispatch('json_quote')(column)) }}
{%- endmacro %}

{% macro default__json_quote(column) -%}
    coalesce(cast(to_json({{ column }}) as varchar), 'null')
{%- endmacro %}
