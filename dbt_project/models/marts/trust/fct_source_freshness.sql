-- one row per source instance that was ever read: its newest reading and event against the pass's as_of
with reads as (
    select * from {{ ref('stg_loads__reads') }}
),

quarter_hours as (
    select * from {{ ref('int_spend__quarter_hours') }}
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
        cast(sum(rows_rejected_count) as bigint) as rows_rejected_count,
        max(extracted_at) as last_read_at
    from reads
    group by source_instance
),

usage_totals as (
    select
        source_instance,
        cast(sum(requests_count) as bigint) as acts_count,
        min(bucket_start_at) as first_usage_at,
        max(bucket_start_at) as last_usage_at
    from quarter_hours
    group by source_instance
)

select
    read_totals.source_instance,
    sources.system as source,
    read_totals.rows_read_count,
    read_totals.rows_rejected_count,
    coalesce(usage_totals.acts_count, 0) as acts_count,
    usage_totals.first_usage_at,
    usage_totals.last_usage_at,
    read_totals.last_read_at,
    current_pass.as_of,
    {{ milliseconds_between('read_totals.last_read_at', 'current_pass.as_of') }} as read_age_ms,
    read_totals.last_read_at < current_pass.as_of - interval '6 hours' as is_stale
from read_totals
cross join current_pass
left join sources
    on read_totals.source_instance = sources.source_instance
left join usage_totals
    on read_totals.source_instance = usage_totals.source_instance
