{# One driver of a value as JSON text: which model, which key, how much. #}
{% macro driver_json(model, key, amount) -%}
    concat(
        '{"model":', {{ json_quote(model) }}, ',"key":', {{ json_quote(key) }},
        ',"used":"', cast({{ money(amount) }} as {{ dbt.type_string() }}), '"}'
    )
{%- endmacro %}
