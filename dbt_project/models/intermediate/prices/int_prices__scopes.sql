-- one row per place of usage and side: the key of the set of price rules that are about it. Places under the same rules
-- share a key, so that terms are compiled once for each set, not for each user
{{ config(materialized='table') }}

with place_rules as (
    select
        *,
        concat_ws(
            ' ', rule_id, scope_score, cast(valid_from_at as {{ dbt.type_string() }}),
            cast(valid_to_at as {{ dbt.type_string() }})
        ) as rule_text
    from {{ ref('int_prices__place_rules') }}
)

select
    entity_key,
    customer_key,
    feature_key,
    source_instance,
    side,
    md5({{ dbt.listagg('rule_text', "'|'", 'order by rule_text') }}) as scope_key
from place_rules
group by
    entity_key,
    customer_key,
    feature_key,
    source_instance,
    side
