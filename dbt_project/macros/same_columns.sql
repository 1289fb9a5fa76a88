{# Rows of two relations that agree in these columns, nulls with nulls. #}
{% macro same_columns(columns, left, right) -%}
    {% for column in columns -%}
    {{ left }}.{{ column }} is not distinct from {{ right }}.{{ column }}{{ ' and ' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
