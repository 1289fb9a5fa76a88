-- one row per budget and source that it rests on: one that gave use of its kind in the last 30 days that the source has data of,
-- whether or not that use is in the period. A source that is dead does not leave by time going on
with quarter_hours as (
    select * from {{ ref('int_spend__quarter_hours') }}
),

budgets as (
    select * from {{ ref('stg_config__budgets') }}
),

expanded as (
    select * from {{ ref('int_org__expanded') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

newest as (
    select
        quarter_hours.source_instance,
        max(quarter_hours.bucket_start_at) as bucket_start_at
    from quarter_hours
    inner join current_pass
        on quarter_hours.bucket_start_at <= current_pass.as_of
    group by quarter_hours.source_instance
),

{% set kinds = [
    'source_instance', 'entity_key', 'customer_key', 'provider', 'model_id', 'operation', 'application_key', 'feature_key', 'unit',
    'budget_tags', 'fidelity',
] -%}
-- What would be used now, as the trees stand.
kinds_of_use as (
    select
        {% for kind in kinds -%}
        quarter_hours.{{ kind }},
        {% endfor -%}
        max(current_pass.as_of) as used_at
    from quarter_hours
    cross join current_pass
    inner join newest
        on quarter_hours.source_instance = newest.source_instance
        and quarter_hours.bucket_start_at > newest.bucket_start_at - interval '30 days'
        and quarter_hours.bucket_start_at <= newest.bucket_start_at
    group by
        {% for kind in kinds -%}
        quarter_hours.{{ kind }}{{ ',' if not loop.last }}
        {% endfor %}
),

budgeted as (
    {{ budgeted_acts('kinds_of_use', at='used_at', dated=false) }}
)

select
    budget_id,
    source_instance,
    {{ common_fidelity('fidelity') }} as fidelity
from budgeted
group by
    budget_id,
    source_instance
