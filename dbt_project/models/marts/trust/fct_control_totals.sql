-- one row per source instance, UTC day, scope and measure: the source's own total against what its acts sum to
with control as (
    select * from {{ ref('int_control__unioned') }}
),

controlled as (
    select source_instance
    from control
    group by source_instance
),

usage_events as (
    select
        usage_events.source_instance,
        usage_events.usage_on,
        -- At Snowflake the tier of a credit is the service it is metered under.
        usage_events.service_tier,
        usage_events.reported_cost_usd,
        case when usage_events.unit = 'credits' then usage_events.quantity end as credits
    from {{ ref('int_usage__deduplicated') }} as usage_events
    inner join controlled
        on usage_events.source_instance = controlled.source_instance
),

measured as (
    select
        source_instance,
        usage_on,
        'all' as scope,
        'reported_cost_usd' as measure,
        reported_cost_usd as metered_quantity
    from usage_events
    union all
    select
        source_instance,
        usage_on,
        'all' as scope,
        'credits' as measure,
        credits as metered_quantity
    from usage_events
    union all
    select
        source_instance,
        usage_on,
        service_tier as scope,
        'credits' as measure,
        credits as metered_quantity
    from usage_events
),

metered as (
    select
        source_instance,
        usage_on,
        scope,
        measure,
        sum(metered_quantity) as metered_quantity
    from measured
    group by
        source_instance,
        usage_on,
        scope,
        measure
)

select
    control.source_instance,
    control.totalled_on,
    control.scope,
    control.measure,
    control.control_quantity,
    {{ money('coalesce(metered.metered_quantity, 0)') }} as metered_quantity,
    {{ money('coalesce(metered.metered_quantity, 0) - control.control_quantity') }}
        as difference_quantity
from control
left join metered
    on control.source_instance = metered.source_instance
    and control.totalled_on = metered.usage_on
    and control.scope = metered.scope
    and control.measure = metered.measure
