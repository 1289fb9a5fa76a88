-- one row per node, ancestor (itself included) and half-open range in which it is one
with recursive nodes as (
    select * from {{ ref('int_org__nodes') }}
),

edges as (
    select * from {{ ref('int_org__edges') }}
),

expanded as (
    select
        nodes.entity_key,
        nodes.entity_key as ancestor_key,
        nodes.tree,
        0 as depth,
        cast('1900-01-01' as timestamp) as valid_from_at,
        cast('9999-12-31' as timestamp) as valid_to_at
    from nodes
    union all
    -- One step up holds while both the way so far and the next edge hold.
    select
        expanded.entity_key,
        edges.parent_key as ancestor_key,
        expanded.tree,
        expanded.depth + 1 as depth,
        greatest(expanded.valid_from_at, edges.valid_from_at) as valid_from_at,
        least(expanded.valid_to_at, edges.valid_to_at) as valid_to_at
    from expanded
    inner join edges
        on expanded.ancestor_key = edges.entity_key
        and expanded.valid_from_at < edges.valid_to_at
        and edges.valid_from_at < expanded.valid_to_at
)

select
    entity_key,
    ancestor_key,
    tree,
    depth,
    valid_from_at,
    valid_to_at
from expanded
