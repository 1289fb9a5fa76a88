-- one row per source instance, UTC day and measure: the source's own total against what its acts sum to
with control as (
    select * from {{ ref('int_control__unioned') }}
),

usage_events as (
    select
        source_instance,
        usage_on,
        reported_cost_usd,
        case when unit = 'credits' then quantity end as credits
    from {{ ref('int_usage__deduplicated') }}
),

metered as (
    select
        source_instance,
        usage_on as totalled_on,
        'reported_cost_usd' as measure,
        sum(reported_cost_usd) as metered_quantity
    from usage_events
    group by
        source_instance,
        usage_on
    union all
    select
        source_instance,
        usage_on as totalled_on,
        'credits' as measure,
        sum(credits) as metered_quantity
    from usage_events
    group by
        source_instance,
        usage_on
)

select
    control.source_instance,
    control.totalled_on,
    control.measure,
    control.control_quantity,
    {{ money('coalesce(metered.metered_quantity, 0)') }} as metered_quantity,
    {{ money('coalesce(metered.metered_quantity, 0) - control.control_quantity') }}
        as difference_quantity
from control
left join metered
    on control.source_instance = metered.source_instance
    and control.totalled_on = metered.totalled_on
    and control.measure = metered.measure
