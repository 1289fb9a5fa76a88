{# Every system usage or bills are read from: its resources (raw tables), and those of them whose staging model
   `stg_<system>__<resource>` is a standard event (or, where staging alone cannot make one, the model that does). The one
   list of the project a new source is added to. #}
{% macro systems() -%}
    {{ return({
        'agentforce': {
            'resources': [
                'enriched_usage', 'generative_ai_usage', 'daily_consumption', 'entitlement_transactions',
            ],
            'usage': ['enriched_usage', 'generative_ai_usage', 'entitlement_transactions'],
        },
        'anthropic_bill': {'resources': ['usage', 'costs'], 'usage': []},
        'aws_cur': {'resources': ['line_items'], 'usage': []},
        'bedrock': {
            'resources': ['invocations', 'batch_records', 'inference_profiles'],
            'usage': ['int_bedrock__usage_named'],
        },
        'collector': {
            'resources': ['events', 'spans', 'litellm_logs', 'inbox_events'],
            'usage': ['events', 'spans', 'litellm_logs'],
        },
        'databricks': {
            'resources': [
                'ai_gateway_usage', 'external_model_spend', 'endpoint_usage', 'served_entities', 'billing_usage',
                'list_prices',
            ],
            'usage': ['ai_gateway_usage', 'external_model_spend', 'endpoint_usage'],
        },
        'helicone': {'resources': ['requests'], 'usage': ['requests']},
        'langfuse': {
            'resources': ['observations', 'blob_export', 'daily_metrics'],
            'usage': ['observations', 'blob_export'],
        },
        'litellm': {'resources': ['spend_logs', 'keys', 'teams', 'users'], 'usage': ['spend_logs']},
        'openai_bill': {'resources': ['usage', 'costs'], 'usage': []},
        'openrouter': {
            'resources': ['activity', 'analytics', 'keys', 'generations', 'credits'],
            'usage': ['activity', 'analytics', 'generations'],
        },
        'portkey': {'resources': ['log_exports', 'analytics_cost', 'keys'], 'usage': ['log_exports']},
        'revenue': {'resources': ['lines'], 'usage': []},
        'sap_joule': {
            'resources': ['monthly_usage', 'monthly_cost', 'cloud_credits', 'daily_usage'],
            'usage': ['monthly_usage', 'monthly_cost'],
        },
        'snowflake_cortex': {
            'resources': [
                'agent', 'ai_functions', 'ai_gateway', 'analyst', 'code', 'cowork', 'fine_tuning', 'guardrails',
                'metering_daily', 'provisioned_throughput', 'rate_sheet_daily', 'rest_api', 'search_daily', 'users',
            ],
            'usage': [
                'agent', 'ai_functions', 'ai_gateway', 'analyst', 'code', 'cowork', 'fine_tuning', 'guardrails',
                'provisioned_throughput', 'rest_api', 'search_daily',
            ],
        },
    }) }}
{%- endmacro %}
