-- one row per pair of acts of two sources that look like one request, and one empty row a pass: the mark up to which was
-- looked. Both of one UTC day, which is looked at by itself; each the other's nearest
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook='{{ delete_touched_days() }}',
) }}
{% set columns = {
    'usage_key': dbt.type_string(), 'other_usage_key': dbt.type_string(), 'usage_on': 'date',
    'source_instance': dbt.type_string(), 'other_source_instance': dbt.type_string(), 'occurred_at': 'timestamp',
    'base_model': dbt.type_string(), 'total_input_tokens': 'bigint', 'total_output_tokens': 'bigint',
    'apart_ms': 'bigint', 'candidates_count': 'bigint',
    'effective_cost_usd': 'decimal(38, 15)', 'other_effective_cost_usd': 'decimal(38, 15)',
} %}
with facts as (
    select
        usage_key,
        usage_on,
        source_instance,
        occurred_at,
        date_trunc('minute', occurred_at) as minute_at,
        total_input_tokens,
        total_output_tokens,
        effective_cost_usd,
        -- Sources stamp a request at its start or at its end: within its latency and 5 seconds, a minute at most.
        least(coalesce(latency_ms, 0), 55000) + 5000 as near_ms,
        -- The model, whoever sells it.
        {{ undated_name("regexp_replace(coalesce(model_id, model_served, model_requested), '^.*/', '')") }} as base_model
    from {{ ref('fct_usage') }}
    where is_costed
        and fidelity = 'per_request'
        and total_output_tokens > 0
        and {{ touched_days_filter('usage_on') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

-- Sizes that two sources show on one day.
shared_sizes as (
    select
        usage_on,
        base_model,
        total_input_tokens,
        total_output_tokens
    from facts
    group by
        usage_on,
        base_model,
        total_input_tokens,
        total_output_tokens
    having min(source_instance) <> max(source_instance)
),

candidates as (
    select facts.*
    from facts
    inner join shared_sizes
        on facts.usage_on = shared_sizes.usage_on
        and facts.base_model = shared_sizes.base_model
        and facts.total_input_tokens = shared_sizes.total_input_tokens
        and facts.total_output_tokens = shared_sizes.total_output_tokens
),

-- Each act once for its minute and the ones beside it, so that pairs join by equality.
near_minutes as (
    {% for minutes in (-1, 0, 1) -%}
    select
        candidates.*,
        cast({{ dbt.dateadd('minute', minutes, 'minute_at') }} as timestamp) as near_minute_at
    from candidates
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

timed as (
    select
        firsts.usage_key,
        others.usage_key as other_usage_key,
        firsts.usage_on,
        firsts.source_instance,
        others.source_instance as other_source_instance,
        firsts.occurred_at,
        firsts.base_model,
        firsts.total_input_tokens,
        firsts.total_output_tokens,
        firsts.effective_cost_usd,
        others.effective_cost_usd as other_effective_cost_usd,
        greatest(firsts.near_ms, others.near_ms) as near_ms,
        abs({{ milliseconds_between('firsts.occurred_at', 'others.occurred_at') }}) as apart_ms
    from candidates as firsts
    inner join near_minutes as others
        on firsts.usage_on = others.usage_on
        and firsts.base_model = others.base_model
        and firsts.total_input_tokens = others.total_input_tokens
        and firsts.total_output_tokens = others.total_output_tokens
        and firsts.minute_at = others.near_minute_at
        and firsts.source_instance < others.source_instance
),

pairs as (
    select
        *,
        row_number() over (partition by usage_key order by apart_ms, other_usage_key) as preference,
        row_number() over (partition by other_usage_key order by apart_ms, usage_key) as other_preference,
        greatest(
            count(*) over (partition by usage_key), count(*) over (partition by other_usage_key)
        ) as candidates_count
    from timed
    where apart_ms <= near_ms
),

marked as (
    select
        {{ columns | join(',\n        ') }}
    from pairs
    where preference = 1
        and other_preference = 1
    union all
    select
        {% for name, type in columns.items() -%}
        cast(null as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
)

select
    marked.*,
    current_pass.pass_id
from marked
cross join current_pass
