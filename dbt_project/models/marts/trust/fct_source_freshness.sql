-- one row per source instance that was ever read: what it gave, its newest reading and event against the pass's as_of
with reads as (
    select * from {{ ref('stg_loads__reads') }}
),

usage_events as (
    select * from {{ ref('int_usage__deduplicated') }}
),

sources as (
    select * from {{ ref('stg_config__sources') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

read_totals as (
    select
        source_instance,
        cast(sum(rows_read_count) as bigint) as rows_read_count,
        cast(sum(rows_loaded_count) as bigint) as rows_loaded_count,
        cast(sum(rows_rejected_count) as bigint) as rows_rejected_count,
        cast(sum(unknown_fields_count) as bigint) as unknown_fields_count,
        max(extracted_at) as last_read_at
    from reads
    group by source_instance
),

usage_totals as (
    select
        source_instance,
        count(*) as acts_count,
        min(occurred_at) as first_usage_at,
        max(occurred_at) as last_usage_at,
        {{ common_fidelity('fidelity') }} as fidelity
    from usage_events
    group by source_instance
)

select
    read_totals.source_instance,
    sources.system as source,
    sources.evidence_layer,
    sources.covered_by,
    usage_totals.fidelity,
    read_totals.rows_read_count,
    read_totals.rows_loaded_count,
    read_totals.rows_rejected_count,
    read_totals.unknown_fields_count,
    coalesce(usage_totals.acts_count, 0) as acts_count,
    usage_totals.first_usage_at,
    usage_totals.last_usage_at,
    {{ milliseconds_between('usage_totals.last_usage_at', 'current_pass.as_of') }} as usage_age_ms,
    read_totals.last_read_at,
    current_pass.as_of,
    {{ milliseconds_between('read_totals.last_read_at', 'current_pass.as_of') }} as read_age_ms,
    -- Of a source that is declared no more nothing is awaited.
    sources.source_instance is not null
    and {{ milliseconds_between('read_totals.last_read_at', 'current_pass.as_of') }}
    > coalesce(sources.stale_after_hours, 6) * 3600000 as is_stale
from read_totals
cross join current_pass
left join sources
    on read_totals.source_instance = sources.source_instance
left join usage_totals
    on read_totals.source_instance = usage_totals.source_instance
