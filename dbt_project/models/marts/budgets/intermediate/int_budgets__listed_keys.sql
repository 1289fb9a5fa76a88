-- one row per gateway and key, team or user that it lists for an owner, or customer whom calls of LiteLLM were for
with identities as (
    select * from {{ ref('dim_source_identities') }}
    where identity_kind in ('key', 'team', 'user') and entity_key is not null
),

sources as (
    select * from {{ ref('stg_config__sources') }}
    where system = 'litellm'
),

customers_seen as (
    select * from {{ ref('int_org__values_resolved') }}
    where dimension = 'customer' and field = 'raw_customer'
)

select
    source,
    source_instance,
    identity_kind,
    entity_key,
    cast(null as {{ dbt.type_string() }}) as customer_key,
    identity_name as raw_key_alias,
    case when identity_kind = 'key' then identifier else concat(identity_kind, ':', identifier) end as raw_key_hash
from identities
union all
-- No gateway lists its customers.
select
    sources.system as source,
    customers_seen.source_instance,
    'customer' as identity_kind,
    cast(null as {{ dbt.type_string() }}) as entity_key,
    customers_seen.target_key as customer_key,
    customers_seen.field_value as raw_key_alias,
    concat('customer:', customers_seen.field_value) as raw_key_hash
from customers_seen
inner join sources
    on customers_seen.source_instance = sources.source_instance
