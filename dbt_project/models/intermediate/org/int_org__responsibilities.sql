-- one row per node and half-open range: who answers for it and who pays, its own or of the nearest node above that says
{% set kinds = ['owner', 'channel', 'cost_center'] %}
with expanded as (
    select * from {{ ref('int_org__expanded') }}
),

owners as (
    select * from {{ ref('stg_config__entity_owners') }}
),

cost_centers as (
    select * from {{ ref('stg_config__entity_cost_centers') }}
),

stated as (
    select
        entity_key,
        'owner' as kind,
        owner_name as stated,
        owner_email as stated_email,
        valid_from_at,
        valid_to_at
    from owners
    union all
    select
        entity_key,
        'channel' as kind,
        owner_channel as stated,
        cast(null as {{ dbt.type_string() }}) as stated_email,
        valid_from_at,
        valid_to_at
    from owners
    where owner_channel is not null
    union all
    select
        entity_key,
        'cost_center' as kind,
        cost_center as stated,
        cast(null as {{ dbt.type_string() }}) as stated_email,
        valid_from_at,
        valid_to_at
    from cost_centers
),

-- What is stated of each ancestor, while it is one.
inherited as (
    select
        expanded.entity_key,
        expanded.ancestor_key,
        expanded.depth,
        stated.kind,
        stated.stated,
        stated.stated_email,
        greatest(expanded.valid_from_at, coalesce(stated.valid_from_at, expanded.valid_from_at))
            as valid_from_at,
        least(expanded.valid_to_at, coalesce(stated.valid_to_at, expanded.valid_to_at)) as valid_to_at
    from expanded
    inner join stated
        on expanded.ancestor_key = stated.entity_key
        and expanded.valid_from_at < coalesce(stated.valid_to_at, expanded.valid_to_at)
        and coalesce(stated.valid_from_at, expanded.valid_from_at) < expanded.valid_to_at
),

-- Between two of these instants nothing changes for the node.
instants as (
    select entity_key, valid_from_at as changes_at from expanded
    union
    select entity_key, valid_to_at as changes_at from expanded
    union
    select entity_key, valid_from_at as changes_at from inherited
    union
    select entity_key, valid_to_at as changes_at from inherited
),

ranges as (
    select
        entity_key,
        changes_at as valid_from_at,
        lead(changes_at) over (partition by entity_key order by changes_at) as valid_to_at
    from instants
),

ranked as (
    -- The nearest node that states it.
    select
        inherited.*,
        ranges.valid_from_at as range_from_at,
        row_number() over (
            partition by inherited.entity_key, ranges.valid_from_at, inherited.kind
            order by inherited.depth
        ) as nearness
    from inherited
    inner join ranges
        on inherited.entity_key = ranges.entity_key
        and inherited.valid_from_at <= ranges.valid_from_at
        and ranges.valid_from_at < inherited.valid_to_at
),

nearest as (
    select * from ranked
    where nearness = 1
)

select
    ranges.entity_key,
    {% for kind in kinds -%}
    max(case when nearest.kind = '{{ kind }}' then nearest.stated end) as {{ kind }},
    max(case when nearest.kind = '{{ kind }}' then nearest.ancestor_key end) as {{ kind }}_entity_key,
    {% endfor -%}
    max(nearest.stated_email) as owner_email,
    ranges.valid_from_at,
    ranges.valid_to_at
from ranges
left join nearest
    on ranges.entity_key = nearest.entity_key
    and ranges.valid_from_at = nearest.range_from_at
where ranges.valid_to_at is not null
group by
    ranges.entity_key,
    ranges.valid_from_at,
    ranges.valid_to_at
