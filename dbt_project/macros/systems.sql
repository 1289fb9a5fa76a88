{# Every system usage or bills are read from: its resources (raw tables), and those of them whose staging model
   `stg_<system>__<resource>` is a standard event. The one list of the project a new source is added to. #}
{% macro systems() -%}
    {{ return({
        'bedrock': {'resources': ['invocations'], 'usage': ['invocations']},
        'databricks': {
            'resources': [
                'ai_gateway_usage', 'external_model_spend', 'endpoint_usage', 'served_entities',
                'billing_usage', 'list_prices',
            ],
            'usage': ['ai_gateway_usage', 'external_model_spend', 'endpoint_usage'],
        },
        'litellm': {'resources': ['spend_logs'], 'usage': ['spend_logs']},
    }) }}
{%- endmacro %}
