-- one row per source instance: its newest event and load against the pass's as_of
with usage_events as (
    select * from {{ ref('fct_usage') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

newest as (
    select
        source,
        source_instance,
        count(*) as events_count,
        min(occurred_at) as first_event_at,
        max(occurred_at) as last_event_at,
        max(loaded_at) as last_loaded_at
    from usage_events
    group by
        source,
        source_instance
)

select
    newest.source,
    newest.source_instance,
    newest.events_count,
    newest.first_event_at,
    newest.last_event_at,
    newest.last_loaded_at,
    current_pass.as_of,
    cast({{ milliseconds_between('newest.last_event_at', 'current_pass.as_of') }} as bigint) as lag_ms
from newest
cross join current_pass
