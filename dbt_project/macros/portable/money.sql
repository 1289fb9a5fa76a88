{# Casts an amount to the one type of money, after each product (DESIGN D14). #}
{% macro money(expression) -%}
    cast({{ expression }} as decimal(38, 15))
{%- endmacro %}
