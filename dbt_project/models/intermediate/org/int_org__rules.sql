-- one row per rule and value: those of the configuration, and the suggestions that people accepted
with identities as (
    select * from {{ ref('stg_config__identities') }}
),

acceptances as (
    select * from {{ ref('stg_decisions__identity_acceptances') }}
),

entities as (
    select * from {{ ref('stg_config__entities') }}
),

features as (
    select * from {{ ref('stg_config__features') }}
),

targets as (
    select tree as dimension, entity_key as target_key from entities
    union all
    select 'feature' as dimension, feature_key as target_key from features
)

select
    dimension,
    source_instance,
    field,
    match_kind,
    match_value,
    target_key,
    rule_number,
    concat(match_kind, ' (rule ', cast(rule_number as {{ dbt.type_string() }}), ')') as rule_name
from identities
union all
-- What was accepted for a node that config no longer has counts for nothing.
select
    acceptances.dimension,
    acceptances.source_instance,
    acceptances.field,
    'accepted' as match_kind,
    acceptances.field_value as match_value,
    acceptances.target_key,
    0 as rule_number,
    concat('accepted (', acceptances.acceptance_id, ')') as rule_name
from acceptances
inner join targets
    on acceptances.dimension = targets.dimension
    and acceptances.target_key = targets.target_key
