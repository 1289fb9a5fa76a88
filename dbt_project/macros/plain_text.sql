{# A name without case and separators, for comparing how people write it. #}
{% macro plain_text(column) -%}
    replace(replace(replace(replace(lower({{ column }}), '-', ''), '_', ''), '.', ''), ' ', '')
{%- endmacro %}

{# What stands before the @ of an e-mail address; any other text whole. #}
{% macro local_part(column) -%}
    split_part({{ column }}, '@', 1)
{%- endmacro %}
