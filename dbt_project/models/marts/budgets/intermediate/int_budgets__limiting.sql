-- one row per budget that is hard or asks for limits, and per burn rate that acts: which use counts towards it
{% set counted_by = [
    'unit', 'source_filter', 'provider_filter', 'model_filter', 'operation_filter', 'application_filter', 'feature_filter',
    'tag_filter', 'timezone',
] -%}
with budgets as (
    select * from {{ ref('stg_config__budgets') }}
    where (mode = 'hard' or action is not null) and not is_paused
),

alerts as (
    select * from {{ ref('stg_config__alerts') }}
    where action is not null and not is_paused
)

select
    budget_id,
    entity_key,
    scope,
    measure,
    {{ counted_by | join(',\n    ') }},
    period,
    anchor_day,
    valid_from_at
from budgets
union all
select
    concat(kind, ':', alert_id) as budget_id,
    entity_key,
    'consolidated' as scope,
    'cost' as measure,
    {% for column in counted_by -%}
    cast(null as {{ dbt.type_string() }}) as {{ column }},
    {% endfor -%}
    'lifetime' as period,
    1 as anchor_day,
    cast(null as timestamp) as valid_from_at
from alerts
