-- one row per node of either tree and half-open range: who answered for it, where they are told, and who paid
with responsibilities as (
    select * from {{ ref('int_org__responsibilities') }}
),

nodes as (
    select * from {{ ref('int_org__nodes') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
)

select
    nodes.entity_key,
    nodes.tree,
    responsibilities.owner as owner_name,
    responsibilities.owner_email,
    responsibilities.owner_entity_key,
    responsibilities.channel as owner_channel,
    responsibilities.channel_entity_key,
    responsibilities.cost_center,
    responsibilities.cost_center_entity_key,
    responsibilities.valid_from_at,
    responsibilities.valid_to_at,
    responsibilities.valid_from_at <= current_pass.as_of
        and current_pass.as_of < responsibilities.valid_to_at as is_current
from nodes
inner join responsibilities
    on nodes.entity_key = responsibilities.entity_key
cross join current_pass
