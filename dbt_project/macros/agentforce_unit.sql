{# What a Digital Wallet card counts in. A card nobody knows counts in a unit of its own, so that no rate of another card prices it. #}
{% macro agentforce_unit(card) -%}
    case lower({{ card }})
        when 'flexcredits' then 'credits'
        when 'conversations' then 'conversations'
        else lower({{ card }})
    end
{%- endmacro %}
