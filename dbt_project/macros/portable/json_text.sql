{# The text at a path of a JSON text column; null where absent. Path without `$.`: 'details.cached'. #}
{% macro json_text(column, path) -%}
    {{ return(adapter.dispatch('json_text')(column, path)) }}
{%- endmacro %}

{% macro default__json_text(column, path) -%}
    json_extract_string({{ column }}, '$.{{ path }}')
{%- endmacro %}

{# The text of a JSON object's member, whose name is a column or an expression; null where absent. #}
{% macro json_member(column, name) -%}
    {{ return(adapter.dispatch('json_member')(column, name)) }}
{%- endmacro %}

{% macro default__json_member(column, name) -%}
    json_extract_string({{ column }}, {{ name }})
{%- endmacro %}
