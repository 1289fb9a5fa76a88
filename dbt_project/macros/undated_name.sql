{# A model name in lower case without the date of its snapshot: on bills and meters the same model has it or has it not. #}
{% macro undated_name(name) -%}
    regexp_replace(lower({{ name }}), '[-@]20[0-9]{2}-?[0-9]{2}-?[0-9]{2}$', '')
{%- endmacro %}
