-- one row per change of an alert's state
{{ config(tags=['ops']) }}
with source as (
    select * from {{ source('raw_ops', 'transitions') }}
),

completed_loads as (
    select load_id from {{ source('raw_ops', '_dlt_loads') }}
    where status = 0
),

-- A mirror that was interrupted reads the same rows again.
ranked as (
    select
        source.id as transition_id,
        source.alert_id,
        source.seq as sequence_number,
        source.from_level,
        source.to_level,
        source.crossed_json,
        source.value,
        source.limit_value,
        source.unit,
        source.alert_version,
        source.snapshot_id,
        source.cause,
        source.late as is_late,
        source.baseline as is_baseline,
        {{ utc('source.period_start') }} as period_start_at,
        {{ utc('source.period_end') }} as period_end_at,
        {{ utc('source.created_at') }} as created_at,
        row_number() over (partition by source.id order by source._dlt_load_id desc) as newest_rank
    from source
    inner join completed_loads
        on source._dlt_load_id = completed_loads.load_id
)

select
    transition_id,
    alert_id,
    sequence_number,
    from_level,
    to_level,
    crossed_json,
    value,
    limit_value,
    unit,
    alert_version,
    snapshot_id,
    cause,
    is_late,
    is_baseline,
    period_start_at,
    period_end_at,
    created_at
from ranked
where newest_rank = 1
