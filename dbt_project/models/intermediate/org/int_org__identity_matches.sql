-- one row per identity: its place in either tree, known or not, and what else is known
with identities as (
    select * from {{ ref('int_org__identities') }}
    where identity_key is not null
),

identity_fields as (
    select * from {{ ref('int_org__identity_fields') }}
),

identities_placed as (
    select * from {{ ref('int_org__identities_placed') }}
),

nodes as (
    select * from {{ ref('int_org__nodes') }}
),

sources as (
    select * from {{ ref('stg_config__sources') }}
),

named_customers as (
    -- A customer was named, known or not.
    select identity_key
    from identity_fields
    where dimension = 'customer'
    group by identity_key
    union all
    -- A source that config no longer names has no fields to try; its events may name one.
    select identities.identity_key
    from identities
    left join sources
        on identities.source_instance = sources.source_instance
    where sources.source_instance is null and identities.raw_customer <> ''
),

loader_nodes as (
    select
        max(case when tree = 'owner' and entity_type = 'unattributed' then entity_key end)
            as nobody_key,
        max(case when tree = 'customer' and entity_type = 'unattributed' then entity_key end)
            as unknown_customer_key,
        max(case when tree = 'customer' and entity_type = 'internal' then entity_key end)
            as no_customer_key
    from nodes
)

select
    identities.identity_key,
    coalesce(identities_placed.entity_key, loader_nodes.nobody_key) as entity_key,
    coalesce(
        identities_placed.customer_key,
        case
            when named_customers.identity_key is not null
                then loader_nodes.unknown_customer_key
            else loader_nodes.no_customer_key
        end
    ) as customer_key,
    identities_placed.user_key,
    identities_placed.agent_key,
    identities_placed.application_key,
    identities_placed.feature_key,
    coalesce(identities_placed.attributed_by, 'no rule knows it') as attributed_by,
    coalesce(
        identities_placed.customer_attributed_by,
        case
            when named_customers.identity_key is not null then 'no rule knows it'
            else 'no customer named'
        end
    ) as customer_attributed_by
from identities
cross join loader_nodes
left join identities_placed
    on identities.identity_key = identities_placed.identity_key
left join named_customers
    on identities.identity_key = named_customers.identity_key
