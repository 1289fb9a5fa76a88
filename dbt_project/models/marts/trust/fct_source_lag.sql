-- one row per source instance with acts read in the last 7 days: how long after they happened they were read
with facts as (
    select * from {{ ref('fct_usage') }}
),

freshness as (
    select * from {{ ref('fct_source_freshness') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

first_loads as (
    select
        source_instance,
        min(loaded_at) as first_loaded_at
    from facts
    group by source_instance
),

-- What was there before the source was first read says nothing of how long its data travel.
recent as (
    select
        facts.source_instance,
        {{ milliseconds_between('facts.occurred_at', 'facts.loaded_at') }} as lag_ms
    from facts
    cross join current_pass
    inner join first_loads
        on facts.source_instance = first_loads.source_instance
        and facts.occurred_at >= first_loads.first_loaded_at
    where facts.usage_on >= cast(current_pass.as_of - interval '7 days' as date)
),

by_minute as (
    select
        source_instance,
        cast(ceil(lag_ms / 60000.0) as bigint) as lag_minutes,
        count(*) as acts_count
    from recent
    where lag_ms >= 0
    group by
        source_instance,
        cast(ceil(lag_ms / 60000.0) as bigint)
),

summed as (
    select
        source_instance,
        lag_minutes,
        sum(acts_count) over (partition by source_instance order by lag_minutes) as acts_up_to,
        sum(acts_count) over (partition by source_instance) as acts_count
    from by_minute
),

percentiles as (
    select
        source_instance,
        max(acts_count) as acts_count,
        min(case when acts_up_to * 2 >= acts_count then lag_minutes end) as lag_p50_minutes,
        min(case when acts_up_to * 20 >= acts_count * 19 then lag_minutes end) as lag_p95_minutes
    from summed
    group by source_instance
)

select
    percentiles.source_instance,
    freshness.source,
    cast(percentiles.acts_count as bigint) as acts_count,
    percentiles.lag_p50_minutes,
    percentiles.lag_p95_minutes
from percentiles
left join freshness
    on percentiles.source_instance = freshness.source_instance
