{# The price tier of a served service tier: an unknown one is billed as standard. #}
{% macro price_tier(column) -%}
    case lower(coalesce({{ column }}, ''))
        when 'flex' then 'flex'
        when 'priority' then 'priority'
        when 'batch' then 'batch'
        when 'batches' then 'batch'
        else 'standard'
    end
{%- endmacro %}
