{# Over rows with a fidelity: theirs if it is one, mixed otherwise. #}
{% macro common_fidelity(column) -%}
    case when min({{ column }}) = max({{ column }}) then min({{ column }}) else 'mixed' end
{%- endmacro %}
