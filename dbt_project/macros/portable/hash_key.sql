{# A text key from several columns; null and the empty string differ. #}
{% macro hash_key(columns) -%}
    {{ return(adapter.dispatch('hash_key')(columns)) }}
{%- endmacro %}

{% macro default__hash_key(columns) -%}
    md5(concat_ws('|', {% for column in columns -%}
        coalesce(replace(cast({{ column }} as varchar), '|', '||'), '|~')
        {%- if not loop.last %}, {% endif %}
    {%- endfor %}))
{%- endmacro %}
