{# The dated join of acts to the terms of one side: plain equalities and one half-open range. #}
{% macro terms_join(acts, terms, side) -%}
    {{ acts }}.{{ side }}_scope_number = {{ terms }}.scope_number
    and {{ acts }}.name_number = {{ terms }}.name_number
    and coalesce({{ acts }}.unit, '') = {{ terms }}.unit
    and {{ acts }}.occurred_at >= {{ terms }}.valid_from_at
    and {{ acts }}.occurred_at < {{ terms }}.valid_to_at
{%- endmacro %}

{# How much of a slot an act counts. Two full-width decimals have no product, so a quantity keeps nine places; one beyond
   all measure has no price. #}
{% macro slot_count(slot) -%}
    {%- set narrow = 'case when abs(quantity) < 100000000000 then cast(quantity as decimal(20, 9)) end' -%}
    {%- if slot == 'unit' -%}
        {{ narrow }}
    {%- elif slot == 'request' -%}
        case when unit = 'requests' then {{ narrow }} else 1 end
    {%- else -%}
        {{ slot }}_tokens
    {%- endif -%}
{%- endmacro %}

{# What a slot of an act costs under the terms of a side: its count at the rate of the terms, else what it cost before;
   either times the factor of the terms, the slot's own or the one for all. Null where neither is known. #}
{% macro slot_cost(side, slot, before) -%}
    {{ money_times(
        'coalesce(' ~ money(slot_count(slot) ~ ' * ' ~ side ~ '_rate_' ~ slot) ~ ', ' ~ before ~ ')',
        'coalesce(' ~ side ~ '_factor_' ~ slot ~ ', ' ~ side ~ '_uniform_factor_ratio, 1)'
    ) }}
{%- endmacro %}

{# The columns of terms and of their slots under the name of their side. #}
{% macro terms_columns(terms, slots, side) -%}
    {%- for slot in cost_lines() %}
    {{ slots }}.rate_{{ slot }} as {{ side }}_rate_{{ slot }},
    {{ slots }}.factor_{{ slot }} as {{ side }}_factor_{{ slot }},
    {%- endfor %}
    {{ terms }}.uniform_factor_ratio as {{ side }}_uniform_factor_ratio,
    coalesce({{ terms }}.has_metered_terms, false) as has_{{ side }}_terms,
    {{ terms }}.rule_ids as {{ side }}_rule_ids
{%- endmacro %}

{# The cost of an act as the sum of its slots, each given by `line(slot)`: null where a used token kind has none. #}
{% macro sum_of_slots(side, inner=none) -%}
    {%- set lines = [] -%}
    {%- for slot in cost_lines() if slot != 'unit' -%}
        {%- set listed = 'rated_' ~ slot ~ '_usd' -%}
        {%- set before = slot_cost(inner, slot, listed) if inner else listed -%}
        {%- set line = slot_cost(side, slot, before) -%}
        {%- if slot == 'request' -%}
            {%- do lines.append('coalesce(' ~ line ~ ', 0)') -%}
        {%- else -%}
            {%- do lines.append('case when coalesce(' ~ slot ~ '_tokens, 0) = 0 then 0 else ' ~ line ~ ' end') -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set before_unit = slot_cost(inner, 'unit', 'rated_unit_usd') if inner else 'rated_unit_usd' -%}
    case
        when is_by_unit then {{ slot_cost(side, 'unit', before_unit) }}
        else {{ money(lines | join('\n        + ')) }}
    end
{%- endmacro %}
