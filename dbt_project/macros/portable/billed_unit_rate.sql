{# The rate a bill comes to: dollars billed over units billed, both read off the bill. A ratio, brought back to the 15
   places of a rate, which gives any rate under a dollar exactly; what is left of a mixed one is named rounding where
   it is used. Money itself is never divided (DESIGN D14). #}
{% macro billed_unit_rate(amount, quantity) -%}
    cast(
        round(cast({{ amount }} as double precision) / nullif({{ quantity }}, 0), 15) as decimal(18, 15)
    )
{%- endmacro %}
