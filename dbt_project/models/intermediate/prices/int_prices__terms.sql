-- one row per side, set of price rules, name in use and range of time: what an act joins to for its terms. Of each slot
-- either a rate of its own, or a factor on the cost, or neither; rate and factor where a discount stands on a fixed rate
{{ config(materialized='table') }}
{% set keys = ['side', 'scope_number', 'name_number', 'unit', 'valid_from_at', 'valid_to_at'] %}
with resolved as (
    select * from {{ ref('int_prices__terms_resolved') }}
),

-- Of rules that stand on each other the one on top comes first.
rules_of_terms as (
    select
        {{ keys | join(',\n        ') }},
        rule_id,
        min(rule_rank) as rule_rank
    from resolved
    group by {{ keys | join(', ') }}, rule_id
),

named as (
    select
        {{ keys | join(',\n        ') }},
        {{ dbt.listagg('rule_id', "' '", 'order by rule_rank, rule_id') }} as rule_ids
    from rules_of_terms
    group by {{ keys | join(', ') }}
),

pivoted as (
    select
        {{ keys | join(',\n        ') }},
        {% for slot in cost_lines() -%}
        max(case when slot = '{{ slot }}' then rate_usd_per_unit end) as rate_{{ slot }},
        max(case when slot = '{{ slot }}' then factor_ratio end) as factor_{{ slot }},
        {% endfor -%}
        -- One factor of six places for everything and no rate of its own: the whole cost can be multiplied at once.
        case
            when sum(case when slot in ('{{ cost_lines() | join("', '") }}') then 1 else 0 end)
                = {{ cost_lines() | length }}
                and max(rate_usd_per_unit) is null
                and min(factor_ratio) = max(factor_ratio)
                and max(factor_ratio) < 1000
                and max(factor_ratio) = round(max(factor_ratio), 6)
                then cast(max(factor_ratio) as decimal(9, 6))
        end as uniform_factor_ratio,
        max(case when slot = 'passthrough_reported' then 1 else 0 end) = 1 as is_passthrough,
        max(case when slot in ('{{ cost_lines() | join("', '") }}') then 1 else 0 end) = 1 as has_metered_terms,
        max(case when slot = 'cost_plus_fixed' then amount_usd end) as plus_usd,
        max(case when slot = 'floor' then amount_usd end) as floor_usd,
        max(case when slot = 'cap' then amount_usd end) as cap_usd
    from resolved
    where is_deepest
    group by {{ keys | join(', ') }}
)

select
    pivoted.*,
    case
        when pivoted.has_metered_terms and pivoted.uniform_factor_ratio is null
            then cast(row_number() over (order by {% for key in keys %}pivoted.{{ key }}{{ ', ' if not loop.last }}{% endfor %}) as integer)
    end as slots_number,
    named.rule_ids
from pivoted
inner join named
    on {% for key in keys -%}
    pivoted.{{ key }} = named.{{ key }}
    {% if not loop.last %}and {% endif %}
    {%- endfor %}
