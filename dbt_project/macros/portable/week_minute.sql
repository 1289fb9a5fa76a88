{# The minute of the week (UTC) a timestamp falls in: 0 is Monday 00:00, 10079 the last of Sunday. The first day of
   the epoch was a Thursday. #}
{% macro week_minute(column) -%}
    {{ return(adapter.dispatch('week_minute')(column)) }}
{%- endmacro %}

{% macro default__week_minute(column) -%}
    mod(epoch_us({{ column }}) // 60000000 + 4320, 10080)
{%- endmacro %}
