-- one row per node: its place in its tree as of the current pass
with recursive nodes as (
    select * from {{ ref('int_org__nodes') }}
),

edges as (
    select * from {{ ref('int_org__edges') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

current_edges as (
    select
        edges.entity_key,
        edges.parent_key
    from edges
    inner join current_pass
        on edges.valid_from_at <= current_pass.as_of
        and current_pass.as_of < edges.valid_to_at
),

placed as (
    select
        nodes.entity_key,
        nodes.tree,
        current_edges.parent_key
    from nodes
    left join current_edges
        on nodes.entity_key = current_edges.entity_key
),

paths as (
    select
        placed.entity_key,
        placed.tree,
        placed.parent_key,
        0 as depth,
        cast(placed.entity_key as {{ dbt.type_string() }}) as entity_path
    from placed
    where placed.parent_key is null
    union all
    select
        placed.entity_key,
        placed.tree,
        placed.parent_key,
        paths.depth + 1 as depth,
        concat(paths.entity_path, ' / ', placed.entity_key) as entity_path
    from paths
    inner join placed
        on paths.entity_key = placed.parent_key
)

select
    entity_key,
    tree,
    parent_key,
    depth,
    entity_path
from paths
