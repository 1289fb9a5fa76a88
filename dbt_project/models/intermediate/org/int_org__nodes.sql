-- one row per node of either tree: declared, or made by auto_create
with entities as (
    select * from {{ ref('stg_config__entities') }}
),

discovered as (
    select * from {{ ref('int_org__identifiers_discovered') }}
)

select
    entity_key,
    tree,
    entity_type,
    entity_name,
    email,
    false as is_discovered
from entities
union all
select
    entity_key,
    tree,
    entity_type,
    entity_name,
    email,
    true as is_discovered
from discovered
