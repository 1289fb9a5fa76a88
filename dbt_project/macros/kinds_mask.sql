{# The token kinds for which a condition holds (`{kind}` is the kind) as one number, a bit a kind: two such sets meet in
   one comparison instead of twelve. #}
{% macro kinds_mask(condition) -%}
    {%- set bits = [] -%}
    {%- for kind in token_kinds() -%}
        {%- do bits.append('case when ' ~ condition.replace('{kind}', kind) ~ ' then ' ~ 2 ** loop.index0 ~ ' else 0 end') -%}
    {%- endfor -%}
    cast({{ bits | join('\n        + ') }} as integer)
{%- endmacro %}
