-- one row per node of the customer tree, where it stands as of the current pass
with nodes as (
    select * from {{ ref('int_org__nodes') }}
    where tree = 'customer'
),

paths as (
    select * from {{ ref('int_org__paths') }}
    where tree = 'customer'
),

owners as (
    select * from {{ ref('dim_entity_owners') }}
    where is_current
)

select
    nodes.entity_key as customer_key,
    paths.parent_key,
    nodes.entity_name as customer_name,
    nodes.entity_type as customer_type,
    paths.entity_path as customer_path,
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
