{# How a month's statement is cut, and what it counts; ingestion/decisions.py names the same. #}
{% macro statement_dimensions() -%}
    {{ return([
        'line_kind', 'entity_key', 'customer_key', 'feature_key', 'source_instance', 'provider', 'model_id',
    ]) }}
{%- endmacro %}

{% macro statement_amounts() -%}
    {{ return(['list_cost_usd', 'billed_cost_usd', 'effective_cost_usd', 'estimated_cost_usd', 'charged_usd']) }}
{%- endmacro %}

{% macro statement_counts() -%}
    {{ return(['requests_count', 'total_tokens', 'unpriced_lines_count']) }}
{%- endmacro %}
