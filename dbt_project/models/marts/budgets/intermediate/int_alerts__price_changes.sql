-- one row per price-change alert: what the changes known since 30 days add to the list cost of its entity's last 30 days
with alerts as (
    select * from {{ ref('stg_config__alerts') }}
    where kind = 'price_change'
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

expanded as (
    select * from {{ ref('int_org__expanded') }}
    where tree = 'owner'
),

valued as (
    select * from {{ ref('int_price_changes__valued') }}
),

known as (
    select changed.*
    from {{ ref('int_prices__changed') }} as changed
    inner join current_pass
        on changed.known_at > current_pass.as_of - interval '30 days'
),

changed as (
    select
        alerts.alert_id,
        known.price_key as model_id,
        count(distinct known.price_version_key) as changes_count,
        sum(valued.new_list_cost_usd - valued.old_list_cost_usd) as cost_usd
    from alerts
    cross join current_pass
    inner join expanded
        on alerts.entity_key = expanded.ancestor_key
        and current_pass.as_of >= expanded.valid_from_at
        and current_pass.as_of < expanded.valid_to_at
    inner join valued
        on expanded.entity_key = valued.entity_key
    inner join known
        on valued.price_version_key = known.price_version_key
    group by
        alerts.alert_id,
        known.price_key
),

ranked as (
    select
        *,
        cast(null as {{ dbt.type_string() }}) as raw_key_alias,
        sum(cost_usd) over (partition by alert_id) as impact_usd,
        sum(changes_count) over (partition by alert_id) as all_changes_count,
        row_number() over (partition by alert_id order by cost_usd desc, model_id) as driver_rank
    from changed
),

impacts as (
    select
        alert_id,
        max(impact_usd) as impact_usd,
        max(all_changes_count) as changes_count,
        {{ drivers_json('model_id', 'raw_key_alias', 'cost_usd', rank='driver_rank') }} as drivers_json
    from ranked
    where driver_rank <= 3
    group by alert_id
)

select
    alerts.alert_id,
    alerts.entity_key,
    coalesce(impacts.impact_usd, 0) as value,
    concat(
        '{"window_days":30,"currency":"USD","changes":', cast(coalesce(impacts.changes_count, 0) as {{ dbt.type_string() }}), '}'
    ) as facts_json,
    coalesce(impacts.drivers_json, '[]') as top_drivers_json
from alerts
left join impacts
    on alerts.alert_id = impacts.alert_id
