-- one row per node, parent and half-open range; ends are never null, so ranges compare plainly
with entity_parents as (
    select * from {{ ref('stg_config__entity_parents') }}
),

discovered as (
    select * from {{ ref('int_org__identifiers_discovered') }}
)

select
    entity_key,
    parent_key,
    coalesce(valid_from_at, cast('1900-01-01' as timestamp)) as valid_from_at,
    coalesce(valid_to_at, cast('9999-12-31' as timestamp)) as valid_to_at
from entity_parents
union all
select
    entity_key,
    parent_key,
    cast('1900-01-01' as timestamp) as valid_from_at,
    cast('9999-12-31' as timestamp) as valid_to_at
from discovered
