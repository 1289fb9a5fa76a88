{# Every system usage or bills are read from: its resources (raw tables), and those of them whose staging model
   `stg_<system>__<resource>` is a standard event. The one list of the project a new source is added to. #}
{% macro systems() -%}
    {{ return({
        'agentforce': {
            'resources': [
                'enriched_usage', 'generative_ai_usage', 'daily_consumption', 'entitlement_transactions',
            ],
            'usage': ['enriched_usage', 'generative_ai_usage', 'entitlement_transactions'],
        },
        'bedrock': {'resources': ['invocations'], 'usage': ['invocations']},
        'litellm': {'resources': ['spend_logs'], 'usage': ['spend_logs']},
        'sap_joule': {
            'resources': ['monthly_usage', 'monthly_cost', 'cloud_credits', 'daily_usage'],
            'usage': ['monthly_usage', 'monthly_cost'],
        },
    }) }}
{%- endmacro %}
