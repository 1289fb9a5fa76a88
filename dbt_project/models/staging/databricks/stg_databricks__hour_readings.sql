-- one row per hour and load that read its calls or its money: the newest reading of either by then. Rows are only ever
-- added: what was true as of a load stays as it was
with readings as (
    select
        source_instance,
        window_key,
        load_id,
        true as reads_calls
    from {{ raw_rows('databricks', 'ai_gateway_usage__reads') }}
    where window_key is not null
    union all
    select
        source_instance,
        window_key,
        load_id,
        false as reads_calls
    from {{ raw_rows('databricks', 'external_model_spend__reads') }}
    where window_key is not null
),

loads as (
    select
        source_instance,
        window_key,
        load_id,
        max(case when reads_calls then load_id end) as calls_load_id,
        max(case when not reads_calls then load_id end) as spend_load_id
    from readings
    group by
        source_instance,
        window_key,
        load_id
)

select
    source_instance,
    window_key,
    load_id,
    max(calls_load_id) over (
        partition by source_instance, window_key order by load_id
        rows between unbounded preceding and current row
    ) as calls_load_id,
    max(spend_load_id) over (
        partition by source_instance, window_key order by load_id
        rows between unbounded preceding and current row
    ) as spend_load_id
from loads
