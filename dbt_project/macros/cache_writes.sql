{# Cache writes by lifetime, where a source tells their total or a part of the split: what the split leaves open counts
   as the provider's default lifetime, 30 minutes at OpenAI, else 5. Columns as a CTE of staging has them; null is none. #}
{% macro unsplit_cache_writes() -%}
    greatest(
        coalesce(cache_write_tokens, 0) - coalesce(cache_write_5m_tokens, 0)
        - coalesce(cache_write_30m_tokens, 0) - coalesce(cache_write_1h_tokens, 0)
        - coalesce(cache_write_12h_tokens, 0),
        0
    )
{%- endmacro %}

{% macro is_openai_provider() -%}
    lower(coalesce(provider, '')) in (
        'openai', 'azure', 'azure_openai', 'azure.ai.openai', 'az.ai.openai', 'azure_ai'
    )
{%- endmacro %}
