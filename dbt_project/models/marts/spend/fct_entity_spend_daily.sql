-- one row per UTC day and node of either tree: what is booked on the node itself, and with everything below it, by the
-- tree as it stood and by the tree as it stands
{% set counts = ['requests_count', 'unpriced_requests_count', 'tokens'] %}
{% set amounts = ['effective_cost_usd', 'estimated_cost_usd'] %}
with days as (
    select * from {{ ref('int_spend__entity_days') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

current_ancestors as (
    select
        expanded.entity_key,
        expanded.ancestor_key
    from {{ ref('int_org__expanded') }} as expanded
    inner join current_pass
        on expanded.valid_from_at <= current_pass.as_of
        and current_pass.as_of < expanded.valid_to_at
),

-- A node that only lies on one of the two ways has a row all the same.
charted as (
    select
        usage_on,
        entity_key,
        tree,
        {% for measure in counts + amounts -%}
        individual_{{ measure }},
        consolidated_{{ measure }},
        0 as current_{{ measure }},
        {% endfor -%}
        pass_id
    from days
    union all
    select
        days.usage_on,
        current_ancestors.ancestor_key as entity_key,
        days.tree,
        {% for measure in counts + amounts -%}
        0 as individual_{{ measure }},
        0 as consolidated_{{ measure }},
        days.individual_{{ measure }} as current_{{ measure }},
        {% endfor -%}
        days.pass_id
    from days
    inner join current_ancestors
        on days.entity_key = current_ancestors.entity_key
)

select
    usage_on,
    entity_key,
    tree,
    {% for kind, prefix in [
        ('individual', 'individual'), ('consolidated', 'consolidated'), ('current', 'current_consolidated')
    ] %}
    {%- for measure in counts %}
    cast(sum({{ kind }}_{{ measure }}) as bigint) as {{ prefix }}_{{ measure }},
    {%- endfor %}
    {%- for measure in amounts %}
    {{ money('sum(' ~ kind ~ '_' ~ measure ~ ')') }} as {{ prefix }}_{{ measure }},
    {%- endfor %}
    {% endfor %}
    max(pass_id) as pass_id
from charted
group by
    usage_on,
    entity_key,
    tree
