{# Every system usage or bills are read from: its resources (raw tables), and those of them whose staging model
   `stg_<system>__<resource>` is a standard event. The one list of the project a new source is added to. #}
{% macro systems() -%}
    {{ return({
        'anthropic_bill': {'resources': ['usage', 'costs'], 'usage': []},
        'aws_cur': {'resources': ['line_items'], 'usage': []},
        'bedrock': {'resources': ['invocations'], 'usage': ['invocations']},
        'litellm': {'resources': ['spend_logs'], 'usage': ['spend_logs']},
        'openai_bill': {'resources': ['usage', 'costs'], 'usage': []},
    }) }}
{%- endmacro %}
