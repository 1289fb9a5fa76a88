{# A share as a double, null of nothing: to be read, never multiplied into money and never summed. #}
{% macro ratio(part, whole) -%}
    cast({{ part }} as double precision) / nullif(cast({{ whole }} as double precision), 0)
{%- endmacro %}
