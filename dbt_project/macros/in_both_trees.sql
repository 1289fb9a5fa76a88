{# Rows of acts, or of sums of them, once for each of their two places: the owner's node and the customer's (DESIGN D20). #}
{% macro in_both_trees(acts, node_column='node_key') -%}
    select *, 'owner' as tree, entity_key as {{ node_column }}
    from {{ acts }}
    union all
    select *, 'customer' as tree, customer_key as {{ node_column }}
    from {{ acts }}
{%- endmacro %}
