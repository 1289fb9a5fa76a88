{# Casts an amount to the one type of money, after each product (DESIGN D14). #}
{% macro money(expression) -%}
    cast({{ expression }} as decimal(38, 15))
{%- endmacro %}

{# An amount times a factor, as money: rounding costs less than a cast from a longer scale. #}
{% macro money_times(amount, factor) -%}
    round(cast({{ amount }} as decimal(38, 15)) * {{ factor }}, 15)
{%- endmacro %}

{# A column of money times a column of ratios, decimal(9, 6), as money: the same figure as money_times. #}
{% macro money_times_ratio(amount, ratio) -%}
    {{ return(adapter.dispatch('money_times_ratio')(amount, ratio)) }}
{%- endmacro %}

{% macro default__money_times_ratio(amount, ratio) -%}
    {{ money_times(amount, ratio) }}
{%- endmacro %}

{# DuckDB divides numbers of 128 bits bit by bit, which rounding needs: seven times the time of this. Millionths of a
   dollar and what is below them are multiplied apart, each in 64 bits; what is below, a million times over, so that its
   type has room. The two have one sign, so half is rounded away from zero as in one product. #}
{% macro duckdb__money_times_ratio(amount, ratio) -%}
    {%- set narrow = 'cast(' ~ amount ~ ' as decimal(18, 15))' -%}
    {%- set above = 'cast(trunc(' ~ narrow ~ ', 6) as decimal(9, 6))' -%}
    {%- set below = 'cast(cast((' ~ narrow ~ ' - ' ~ above ~ ') * 1000000 as decimal(18, 15)) as decimal(9, 9))' -%}
    case
        when abs({{ amount }}) < 1000
            then
                {{ above }} * {{ ratio }}
                + cast({{ below }} * {{ ratio }} as decimal(12, 9)) * cast(0.000001 as decimal(6, 6))
        else {{ money_times(amount, ratio) }}
    end
{%- endmacro %}
