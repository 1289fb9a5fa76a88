-- one row per node of the owner tree, where it stands as of the current pass
with nodes as (
    select * from {{ ref('int_org__nodes') }}
    where tree = 'owner'
),

paths as (
    select * from {{ ref('int_org__paths') }}
    where tree = 'owner'
),

owners as (
    select * from {{ ref('dim_entity_owners') }}
    where is_current
)

select
    nodes.entity_key,
    paths.parent_key,
    nodes.entity_name,
    nodes.entity_type,
    paths.entity_path,
    paths.depth,
    nodes.email,
    owners.owner_name,
    owners.owner_email,
    owners.owner_channel,
    owners.cost_center,
    nodes.is_discovered
from nodes
left join paths
    on nodes.entity_key = paths.entity_key
left join owners
    on nodes.entity_key = owners.entity_key
