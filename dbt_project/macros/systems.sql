{# Every system usage or bills are read from: its resources (raw tables), and those of them whose staging model
   `stg_<system>__<resource>` is a standard event. The one list of the project a new source is added to. #}
{% macro systems() -%}
    {{ return({
        'bedrock': {'resources': ['invocations'], 'usage': ['invocations']},
        'collector': {
            'resources': ['events', 'spans', 'litellm_logs', 'inbox_events'],
            'usage': ['events', 'spans', 'litellm_logs'],
        },
        'litellm': {'resources': ['spend_logs'], 'usage': ['spend_logs']},
    }) }}
{%- endmacro %}
