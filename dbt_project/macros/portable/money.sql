{# Casts an amount to the one type of money, after each product (DESIGN D14). #}
{% macro money(expression) -%}
    cast({{ expression }} as decimal(38, 15))
{%- endmacro %}

{# An amount times a factor, as money: rounding costs less than a cast from a longer scale. #}
{% macro money_times(amount, factor) -%}
    round(cast({{ amount }} as decimal(38, 15)) * {{ factor }}, 15)
{%- endmacro %}
