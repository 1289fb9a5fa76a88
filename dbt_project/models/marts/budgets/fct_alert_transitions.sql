-- one row per change of an alert's state, as it was recorded and sent
{{ config(tags=['ops']) }}
with transitions as (
    select * from {{ ref('stg_ops__transitions') }}
)

select
    transition_id,
    alert_id,
    period_start_at,
    period_end_at,
    cast(sequence_number as bigint) as sequence_number,
    from_level,
    to_level,
    crossed_json,
    {{ money('value') }} as value,
    {{ money('limit_value') }} as limit_value,
    unit,
    cause,
    is_late,
    is_baseline,
    snapshot_id,
    created_at
from transitions
