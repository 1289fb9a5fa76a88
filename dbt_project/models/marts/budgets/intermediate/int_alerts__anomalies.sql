-- one row per anomaly alert: spend of the last whole day (UTC) less the median of the same weekday of up to eight weeks, in
-- robust deviations (1.4826 times the median absolute one), each at least the floor; null with under four such days
with alerts as (
    select * from {{ ref('stg_config__alerts') }}
    where kind = 'anomaly'
),

spent as (
    select * from {{ ref('int_alerts__days') }}
),

first_days as (
    select alert_id, max(days_ago) as first_days_ago
    from spent
    group by alert_id
),

-- The same weekdays since the first use; one without use is 0.
weeks as (
    {% for week in range(9) -%}
    select {{ week }} as weeks_ago, {{ 7 * week + 1 }} as days_ago
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

days as (
    select
        first_days.alert_id,
        weeks.weeks_ago,
        coalesce(sum(spent.cost_usd), 0) as cost_usd
    from first_days
    inner join weeks
        on weeks.days_ago <= first_days.first_days_ago
    left join spent
        on first_days.alert_id = spent.alert_id
        and weeks.days_ago = spent.days_ago
    group by
        first_days.alert_id,
        weeks.weeks_ago
),

medians as (
    select
        alert_id,
        count(*) as days_compared,
        percentile_cont(0.5) within group (order by cast(cost_usd as double precision)) as median_usd
    from days
    where weeks_ago > 0
    group by alert_id
),

deviations as (
    select
        days.alert_id,
        percentile_cont(0.5) within group (
            order by abs(cast(days.cost_usd as double precision) - medians.median_usd)
        ) as median_deviation_usd
    from days
    inner join medians
        on days.alert_id = medians.alert_id
    where days.weeks_ago > 0
    group by days.alert_id
),

ranked as (
    select
        *,
        row_number() over (partition by alert_id order by cost_usd desc, model_id, raw_key_alias) as driver_rank
    from spent
    where days_ago = 1
),

drivers as (
    select
        alert_id,
        {{ drivers_json('model_id', 'raw_key_alias', 'cost_usd', rank='driver_rank') }} as drivers_json
    from ranked
    where driver_rank <= 3
    group by alert_id
)

select
    alerts.alert_id,
    alerts.entity_key,
    case
        when medians.days_compared >= 4
            then
                round({{ ratio(
                    'cast(days.cost_usd as double precision) - medians.median_usd',
                    'greatest(1.4826 * deviations.median_deviation_usd, alerts.floor_usd)'
                ) }}, 6)
    end as value,
    concat(
        '{"spent_usd":"', cast({{ money('coalesce(days.cost_usd, 0)') }} as {{ dbt.type_string() }}),
        '","usual_usd":"', cast({{ money('coalesce(medians.median_usd, 0)') }} as {{ dbt.type_string() }}),
        '","weekdays_compared":', cast(coalesce(medians.days_compared, 0) as {{ dbt.type_string() }}), '}'
    ) as facts_json,
    coalesce(drivers.drivers_json, '[]') as top_drivers_json
from alerts
left join days
    on alerts.alert_id = days.alert_id
    and days.weeks_ago = 0
left join medians
    on alerts.alert_id = medians.alert_id
left join deviations
    on alerts.alert_id = deviations.alert_id
left join drivers
    on alerts.alert_id = drivers.alert_id
