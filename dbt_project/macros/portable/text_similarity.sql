{# How alike two texts are, from 0 to 1: the same answer for the same texts. #}
{% macro text_similarity(one, other) -%}
    {{ return(adapter.dispatch('text_similarity')(one, other)) }}
{%- endmacro %}

{% macro default__text_similarity(one, other) -%}
    jaro_winkler_similarity({{ one }}, {{ other }})
{%- endmacro %}
