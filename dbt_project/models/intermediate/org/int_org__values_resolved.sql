-- one row per source instance, dimension, field and value that a rule knows
with identity_fields as (
    select * from {{ ref('int_org__identity_fields') }}
),

rules as (
    select * from {{ ref('int_org__rules') }}
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
        rules.rule_name,
        rules.match_kind,
        rules.match_value,
        rules.target_key,
        case when rules.source_instance = '*' then 1 else 0 end as is_general
    from field_values
    inner join rules
        on field_values.dimension = rules.dimension
        and field_values.field = rules.field
        and (rules.source_instance = '*' or rules.source_instance = field_values.source_instance)
        and (
            rules.match_kind not in ('value', 'accepted')
            or rules.match_value = field_values.field_value
        )
),

candidates as (
    select
        applicable.*,
        case applicable.match_kind when 'value' then 1 else 2 end as kind_rank,
        applicable.target_key as entity_key
    from applicable
    where applicable.match_kind in ('value', 'accepted')
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
    concat(field, ': ', rule_name) as matched_by
from ranked
where match_rank = 1
