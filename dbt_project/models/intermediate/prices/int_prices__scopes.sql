-- one row per place of usage and side: the number (of one pass) of the set of price rules that are about it. Places under
-- the same rules share it, so that terms are compiled once for each set, not for each user
{{ config(materialized='table') }}

with place_rules as (
    select
        *,
        concat_ws(
            ' ', rule_id, scope_score, cast(valid_from_at as {{ dbt.type_string() }}),
            cast(valid_to_at as {{ dbt.type_string() }})
        ) as rule_text
    from {{ ref('int_prices__place_rules') }}
),

sets as (
    select
        entity_key,
        customer_key,
        feature_key,
        source_instance,
        side,
        {{ dbt.listagg('rule_text', "'|'", 'order by rule_text') }} as rule_set
    from place_rules
    group by
        entity_key,
        customer_key,
        feature_key,
        source_instance,
        side
)

select
    entity_key,
    customer_key,
    feature_key,
    source_instance,
    side,
    cast(dense_rank() over (order by rule_set) as integer) as scope_number
from sets
