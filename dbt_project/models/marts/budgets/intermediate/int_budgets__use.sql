-- one row per budget, period (of the budget's zone), owner of the use, model and gateway key: what was used, in the budget's
-- unit
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

-- Each event has a place in both trees; a budget stands on a node of one of them.
budgeted as (
    {{ budgeted_acts('quarter_hours', at='bucket_start_at') }}
),

-- How far the data of each source reach: what came later is not read yet, and is no sign of a slower pace.
reached as (
    select
        quarter_hours.source_instance,
        max(quarter_hours.bucket_start_at) as newest_bucket_at
    from quarter_hours
    inner join current_pass
        on quarter_hours.bucket_start_at <= current_pass.as_of
    group by quarter_hours.source_instance
),

measured as (
    select
        budgeted.*,
        {{ priced_use() }} as priced,
        {{ estimated_use() }} as estimated,
        {% for word, length in [('hour', '1 hour'), ('day', '24 hours')] -%}
        budgeted.bucket_start_at > reached.newest_bucket_at - interval '{{ length }}'
        and budgeted.bucket_start_at <= reached.newest_bucket_at as is_last_{{ word }}{{ ',' if not loop.last }}
        {% endfor %}
    from budgeted
    left join reached
        on budgeted.source_instance = reached.source_instance
)

select
    budget_id,
    period_start_at,
    entity_key,
    model_id,
    source,
    source_instance,
    raw_key_hash,
    raw_key_alias,
    {{ common_fidelity('fidelity') }} as fidelity,
    min(bucket_start_at) as first_usage_at,
    {{ money('sum(priced)') }} as priced_use,
    {{ money('sum(estimated)') }} as estimated_use,
    -- How fast it is used, for what is used and not yet read.
    {{ money('sum(case when is_last_hour then coalesce(priced, 0) + coalesce(estimated, 0) else 0 end)') }} as last_hour_use,
    {{ money('sum(case when is_last_day then coalesce(priced, 0) + coalesce(estimated, 0) else 0 end)') }} as last_day_use
from measured
group by
    budget_id,
    period_start_at,
    entity_key,
    model_id,
    source,
    source_instance,
    raw_key_hash,
    raw_key_alias
