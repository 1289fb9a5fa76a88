-- one row per step taken or planned at a gateway
{{ config(tags=['ops']) }}
with source as (
    select * from {{ source('raw_ops', 'enforcement_actions') }}
),

completed_loads as (
    select load_id from {{ source('raw_ops', '_dlt_loads') }}
    where status = 0
),

-- A mirror that was interrupted reads the same rows again.
ranked as (
    select
        source.seq as sequence_number,
        source.gateway,
        source.key_ref,
        source.generation,
        source.verb,
        source.dry_run as is_dry_run,
        source.result,
        source.why as reason,
        {{ utc('source.at') }} as acted_at,
        row_number() over (partition by source.seq order by source._dlt_load_id desc) as newest_rank
    from source
    inner join completed_loads
        on source._dlt_load_id = completed_loads.load_id
)

select
    sequence_number,
    gateway,
    key_ref,
    generation,
    verb,
    is_dry_run,
    result,
    reason,
    acted_at
from ranked
where newest_rank = 1
