-- one row per source instance, dimension, field and value that a rule knows
with identity_fields as (
    select * from {{ ref('int_org__identity_fields') }}
),

rules as (
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
    select
        tree as dimension,
        entity_key as target_key,
        email
    from entities
    union all
    select
        'feature' as dimension,
        feature_key as target_key,
        cast(null as {{ dbt.type_string() }}) as email
    from features
),

field_values as (
    select
        source_instance,
        dimension,
        field,
        field_value
    from identity_fields
    group by
        source_instance,
        dimension,
        field,
        field_value
),

applicable as (
    select
        field_values.source_instance,
        field_values.dimension,
        field_values.field,
        field_values.field_value,
        rules.rule_number,
        rules.match_kind,
        rules.match_value,
        rules.target_key,
        case when rules.source_instance = '*' then 1 else 0 end as is_general
    from field_values
    inner join rules
        on field_values.dimension = rules.dimension
        and field_values.field = rules.field
        and (rules.source_instance = '*' or rules.source_instance = field_values.source_instance)
        and (rules.match_kind <> 'value' or rules.match_value = field_values.field_value)
),

candidates as (
    select
        applicable.*,
        1 as kind_rank,
        applicable.target_key as entity_key
    from applicable
    where applicable.match_kind = 'value'
    union all
    -- What was accepted for a node that config no longer has counts for nothing.
    select
        field_values.source_instance,
        field_values.dimension,
        field_values.field,
        field_values.field_value,
        cast(null as integer) as rule_number,
        'accepted' as match_kind,
        acceptances.acceptance_id as match_value,
        acceptances.target_key,
        0 as is_general,
        2 as kind_rank,
        targets.target_key as entity_key
    from field_values
    inner join acceptances
        on field_values.source_instance = acceptances.source_instance
        and field_values.dimension = acceptances.dimension
        and field_values.field = acceptances.field
        and field_values.field_value = acceptances.field_value
    inner join targets
        on acceptances.dimension = targets.dimension
        and acceptances.target_key = targets.target_key
    union all
    -- Nothing is left of it: the one full match that all engines spell alike.
    select
        applicable.*,
        3 as kind_rank,
        applicable.target_key as entity_key
    from applicable
    where
        applicable.match_kind = 'pattern'
        and regexp_replace(
            applicable.field_value, concat('^(?:', applicable.match_value, ')$'), ''
        ) = ''
    union all
    select
        applicable.*,
        4 as kind_rank,
        targets.target_key as entity_key
    from applicable
    inner join targets
        on applicable.dimension = targets.dimension
        and concat(applicable.match_value, applicable.field_value) = targets.target_key
    where applicable.match_kind = 'same_id'
    union all
    select
        applicable.*,
        4 as kind_rank,
        targets.target_key as entity_key
    from applicable
    inner join targets
        on applicable.dimension = targets.dimension
        and lower(applicable.field_value) = targets.email
    where applicable.match_kind = 'email'
),

ranked as (
    -- First match wins: values, then accepted suggestions, then patterns, then ids and
    -- e-mails; within each a source's own rule before a general one, then as written.
    select
        candidates.*,
        row_number() over (
            partition by source_instance, dimension, field, field_value
            order by kind_rank, is_general, rule_number
        ) as match_rank
    from candidates
)

select
    source_instance,
    dimension,
    field,
    field_value,
    entity_key as target_key,
    case
        when match_kind = 'accepted' then concat(field, ': accepted (', match_value, ')')
        else concat(
            field, ': ', match_kind, ' (rule ', cast(rule_number as {{ dbt.type_string() }}), ')'
        )
    end as matched_by
from ranked
where match_rank = 1
