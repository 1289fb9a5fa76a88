-- one row per place of use (node, source, application, feature), stretch of time and wallet that its use may be drawn from
{% set place = ['tree', 'member_key', 'source_instance', 'application_key', 'feature_key'] %}
{% set limited_columns = {'source': 'source_instance', 'application': 'application_key', 'feature': 'feature_key'} %}
with quarter_hours as (
    select * from {{ ref('int_spend__quarter_hours') }}
),

wallets as (
    select * from {{ ref('stg_config__wallets') }}
),

limits as (
    select * from {{ ref('stg_config__wallet_limits') }}
),

expanded as (
    select * from {{ ref('int_org__expanded') }}
),

limited as (
    select
        wallet_id,
        max(case when dimension = 'source' then 1 else 0 end) as by_source,
        max(case when dimension = 'application' then 1 else 0 end) as by_application,
        max(case when dimension = 'feature' then 1 else 0 end) as by_feature
    from limits
    group by wallet_id
),

-- Each event has a place in both trees; a wallet stands on a node of one of them.
placed as (
    {{ in_both_trees('quarter_hours', node_column='member_key') }}
),

places as (
    select {{ place | join(', ') }}
    from placed
    group by {{ place | join(', ') }}
),

-- The wallets on the node of a place and above it that cover its use, while the node stands there and the wallet is valid.
covering as (
    select
        places.*,
        wallets.wallet_id,
        wallets.measure,
        expanded.depth,
        greatest(expanded.valid_from_at, wallets.valid_from_at) as covers_from_at,
        least(expanded.valid_to_at, coalesce(wallets.valid_to_at, expanded.valid_to_at)) as covers_to_at
    from places
    inner join expanded
        on places.member_key = expanded.entity_key
        and places.tree = expanded.tree
    inner join wallets
        on expanded.ancestor_key = wallets.entity_key
        and (wallets.is_shared or expanded.depth = 0)
        and wallets.valid_from_at < expanded.valid_to_at
        and expanded.valid_from_at < coalesce(wallets.valid_to_at, expanded.valid_to_at)
    left join limited
        on wallets.wallet_id = limited.wallet_id
    {% for dimension, column in limited_columns.items() -%}
    left join limits as {{ dimension }}_limits
        on wallets.wallet_id = {{ dimension }}_limits.wallet_id
        and {{ dimension }}_limits.dimension = '{{ dimension }}'
        and places.{{ column }} = {{ dimension }}_limits.limit_value
    {% endfor -%}
    where true
        {% for dimension in limited_columns -%}
        and (coalesce(limited.by_{{ dimension }}, 0) = 0 or {{ dimension }}_limits.wallet_id is not null)
        {% endfor %}
),

boundaries as (
    select {{ place | join(', ') }}, covers_from_at as starts_at from covering
    union
    select {{ place | join(', ') }}, covers_to_at as starts_at from covering
),

-- Between two boundaries the same wallets cover a place; after the last one none does.
stretches as (
    select
        *,
        lead(starts_at) over (partition by {{ place | join(', ') }} order by starts_at) as ends_at
    from boundaries
),

ranked as (
    select
        stretches.*,
        covering.wallet_id,
        covering.measure,
        row_number() over (
            partition by stretches.{{ place | join(', stretches.') }}, stretches.starts_at
            order by covering.depth, covering.wallet_id
        ) as nearness,
        first_value(covering.measure) over (
            partition by stretches.{{ place | join(', stretches.') }}, stretches.starts_at
            order by covering.depth, covering.wallet_id
        ) as nearest_measure
    from stretches
    inner join covering
        on {{ same_columns(place, 'stretches', 'covering') }}
        and stretches.starts_at >= covering.covers_from_at
        and stretches.starts_at < covering.covers_to_at
),

-- Amounts of two measures cannot stand in for one another: use goes on to wallets of its measure alone.
drawing as (
    select
        *,
        row_number() over (partition by {{ place | join(', ') }}, starts_at order by nearness) as draw_order
    from ranked
    where measure = nearest_measure
),

chains as (
    select
        {{ place | join(', ') }},
        starts_at,
        {{ dbt.listagg('wallet_id', "'>'", 'order by draw_order') }} as wallet_chain
    from drawing
    group by {{ place | join(', ') }}, starts_at
)

select
    drawing.tree,
    drawing.member_key,
    drawing.source_instance,
    drawing.application_key,
    drawing.feature_key,
    drawing.starts_at,
    drawing.ends_at,
    drawing.wallet_id,
    drawing.measure,
    drawing.draw_order,
    chains.wallet_chain
from drawing
inner join chains
    on {{ same_columns(place, 'drawing', 'chains') }}
    and drawing.starts_at = chains.starts_at
