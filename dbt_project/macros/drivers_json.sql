{# The drivers of a group as a JSON list, first the largest: which model, which key, how much. #}
{% macro drivers_json(model, key, amount, rank) -%}
    {%- set driver -%}
    concat(
        '{"model":', {{ json_quote(model) }}, ',"key":', {{ json_quote(key) }},
        ',"used":"', cast({{ money(amount) }} as {{ dbt.type_string() }}), '"}'
    )
    {%- endset -%}
    concat('[', {{ dbt.listagg(driver, "','", 'order by ' ~ rank) }}, ']')
{%- endmacro %}
