{# An amount of another currency (below 1e11) in dollars, at a rate of its day; null where that day has none. #}
{% macro to_usd(amount, currency, rate) -%}
    case
        when {{ currency }} = 'USD' then {{ money(amount) }}
        else {{ money('cast(' ~ amount ~ ' as decimal(26, 15)) * cast(' ~ rate ~ ' as decimal(12, 10))') }}
    end
{%- endmacro %}
