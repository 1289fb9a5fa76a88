{# What an act takes from other sources' rows of its request where its own source does not say it. The rest names the
   source itself: its organisation, its workspace, its own ids of keys, which no other source knows or could limit. #}
{% macro inherited_columns() -%}
    {{ return([
        'trace_id', 'session_id', 'raw_team', 'raw_user', 'raw_customer', 'raw_agent', 'raw_application', 'raw_feature',
        'raw_key_alias', 'tags',
    ]) }}
{%- endmacro %}

{# The kinds of token that one of the totals sums. #}
{% macro kinds_of_total(total) -%}
    {%- set kinds = [] -%}
    {%- for kind in token_kinds() -%}
        {%- set is_output = kind in ('output', 'reasoning', 'audio_output', 'image_output') -%}
        {%- if total == 'total_tokens' or (total == 'total_output_tokens') == is_output -%}
            {%- do kinds.append(kind) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(kinds) }}
{%- endmacro %}

{# How many kinds of a total a row tells apart. #}
{% macro kinds_told(total, row) -%}
    {%- for kind in kinds_of_total(total) -%}
    case when {{ row }}.{{ kind }}_tokens > 0 then 1 else 0 end
    {%- if not loop.last %} + {% endif -%}
    {%- endfor -%}
{%- endmacro %}
