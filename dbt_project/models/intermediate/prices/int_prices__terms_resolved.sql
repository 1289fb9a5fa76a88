-- one row per set of price rules, name in use, range of time, slot and rule that makes its terms, from the one on top: what
-- they say of it down to this one. A rule on top of the previous one multiplies into the next, down to the first that stands
-- on list; what counts is what the deepest says
{{ config(materialized='table') }}
{% set keys = ['side', 'scope_number', 'name_number', 'unit'] %}
with recursive matched as (
    select * from {{ ref('int_prices__terms_matched') }}
),

boundaries as (
    select {{ keys | join(', ') }}, valid_from_at as boundary_at from matched
    union
    select {{ keys | join(', ') }}, valid_to_at as boundary_at from matched
),

segments as (
    select
        {{ keys | join(',\n        ') }},
        boundary_at as valid_from_at,
        lead(boundary_at) over (partition by {{ keys | join(', ') }} order by boundary_at) as valid_to_at
    from boundaries
),

ranked as (
    select
        {% for key in keys -%}
        segments.{{ key }},
        {% endfor -%}
        segments.valid_from_at,
        segments.valid_to_at,
        matched.slot,
        matched.rule_id,
        matched.rate_usd_per_unit,
        matched.factor_ratio,
        matched.amount_usd,
        matched.is_on_previous,
        matched.score,
        row_number() over (
            partition by {% for key in keys %}segments.{{ key }}, {% endfor %}segments.valid_from_at, matched.slot
            order by matched.score desc, matched.rule_id
        ) as rule_rank
    from segments
    inner join matched
        on {% for key in keys -%}
        segments.{{ key }} = matched.{{ key }}
        and {% endfor -%}
        segments.valid_from_at >= matched.valid_from_at
        and segments.valid_from_at < matched.valid_to_at
),

-- Two factors of 9 and 6 digits have no product in six places: they are kept to twelve.
stacked as (
    select
        ranked.*,
        cast(factor_ratio as decimal(18, 12)) as stacked_ratio
    from ranked
    where rule_rank = 1
    union all
    select
        {% for key in keys -%}
        stacked.{{ key }},
        {% endfor -%}
        stacked.valid_from_at,
        stacked.valid_to_at,
        stacked.slot,
        ranked.rule_id,
        ranked.rate_usd_per_unit,
        ranked.factor_ratio,
        stacked.amount_usd,
        ranked.is_on_previous,
        stacked.score,
        ranked.rule_rank,
        cast(stacked.stacked_ratio * coalesce(ranked.factor_ratio, 1) as decimal(18, 12)) as stacked_ratio
    from stacked
    inner join ranked
        on {% for key in keys -%}
        stacked.{{ key }} = ranked.{{ key }}
        and {% endfor -%}
        stacked.valid_from_at = ranked.valid_from_at
        and stacked.slot = ranked.slot
        and stacked.is_on_previous
        and ranked.rule_rank = stacked.rule_rank + 1
),

deepest as (
    select
        *,
        max(case when slot in ('{{ cost_lines() | join("', '") }}') then score else 0 end) over (
            partition by {{ keys | join(', ') }}, valid_from_at
        ) as rate_score,
        row_number() over (
            partition by {{ keys | join(', ') }}, valid_from_at, slot order by rule_rank desc
        ) as depth_rank
    from stacked
)

select
    {{ keys | join(',\n    ') }},
    slot,
    rule_id,
    rule_rank,
    depth_rank = 1 as is_deepest,
    rate_usd_per_unit,
    cast(stacked_ratio as decimal(18, 12)) as factor_ratio,
    amount_usd,
    valid_from_at,
    valid_to_at
from deepest
-- What the source says passes where no rate is the more specific rule.
where slot <> 'passthrough_reported'
    or score >= rate_score
