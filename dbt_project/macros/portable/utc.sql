{# A zoned timestamp as naive UTC: every time in the warehouse is UTC, so it is said once, in staging. #}
{% macro utc(expression) -%}
    cast({{ expression }} at time zone 'UTC' as timestamp)
{%- endmacro %}
