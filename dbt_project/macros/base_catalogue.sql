{# The catalogue that goes before all others: what fills its gaps prices only models that it does not list. #}
{% macro base_catalogue() %}litellm{% endmacro %}
