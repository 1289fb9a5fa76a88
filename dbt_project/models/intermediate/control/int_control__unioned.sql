-- one row per source instance, UTC day, scope and measure: what the source itself states as the day's total
with unioned as (
    select
        source_instance,
        usage_on as totalled_on,
        'all' as scope,
        'reported_cost_usd' as measure,
        sum(reported_cost_usd) as control_quantity
    from {{ ref('stg_portkey__analytics_cost') }}
    group by
        source_instance,
        usage_on
    union all
    select
        source_instance,
        usage_on as totalled_on,
        'all' as scope,
        'reported_cost_usd' as measure,
        sum(reported_cost_usd) as control_quantity
    from {{ ref('stg_langfuse__daily_metrics') }}
    group by
        source_instance,
        usage_on
    union all
    select
        source_instance,
        cast(period_start_at as date) as totalled_on,
        'all' as scope,
        'reported_cost_usd' as measure,
        sum(reported_cost_usd) as control_quantity
    from {{ ref('stg_openrouter__account_hours') }}
    group by
        source_instance,
        cast(period_start_at as date)
    union all
    select
        source_instance,
        usage_on as totalled_on,
        service_type as scope,
        'credits' as measure,
        sum(credits_used) as control_quantity
    from {{ ref('stg_snowflake_cortex__metering_daily') }}
    group by
        source_instance,
        usage_on,
        service_type
    union all
    select
        source_instance,
        usage_on as totalled_on,
        'all' as scope,
        'credits' as measure,
        sum(quantity) as control_quantity
    from {{ ref('stg_agentforce__daily_consumption') }}
    where unit = 'credits'
    group by
        source_instance,
        usage_on
)

select
    source_instance,
    totalled_on,
    scope,
    measure,
    {{ money('control_quantity') }} as control_quantity
from unioned
where control_quantity is not null
