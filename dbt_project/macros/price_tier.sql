{# The price tier of a served service tier: an unknown one is billed as standard. #}
{% macro price_tier(column) -%}
    case lower(coalesce({{ column }}, ''))
        when 'flex' then 'flex'
        when 'priority' then 'priority'
        when 'batch' then 'batch'
        when 'batches' then 'batch'
        when 'ultrafast' then 'ultrafast'
        when 'balanced' then 'balanced'
        when 'fast' then 'fast'
        else 'standard'
    end
{%- endmacro %}

{# Whether the rates of a served tier are known; else the standard ones stand in for them. #}
{% macro is_known_tier(column) -%}
    lower(coalesce({{ column }}, '')) in (
        '', 'standard', 'default', 'auto', 'on_demand', 'standard_only',
        'flex', 'priority', 'batch', 'batches', 'ultrafast', 'balanced', 'fast'
    )
{%- endmacro %}
