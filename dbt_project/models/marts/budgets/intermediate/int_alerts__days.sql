-- one row per anomaly alert, finished day (UTC) of the last nine weeks, model and gateway key: what its entity spent
with alerts as (
    select * from {{ ref('stg_config__alerts') }}
    where kind = 'anomaly'
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

expanded as (
    select * from {{ ref('int_org__expanded') }}
),

quarter_hours as (
    select
        quarter_hours.*,
        quarter_hours.effective_cost_usd + quarter_hours.estimated_cost_usd as cost_usd
    from {{ ref('int_spend__quarter_hours') }} as quarter_hours
    inner join current_pass
        on quarter_hours.usage_on >= cast(current_pass.as_of - interval '57 days' as date)
        and quarter_hours.usage_on < cast(current_pass.as_of as date)
),

placed as (
    {{ in_both_trees('quarter_hours') }}
)

select
    alerts.alert_id,
    placed.usage_on,
    cast(current_pass.as_of as date) - placed.usage_on as days_ago,
    placed.model_id,
    placed.raw_key_alias,
    sum(placed.cost_usd) as cost_usd
from alerts
cross join current_pass
inner join expanded
    on alerts.entity_key = expanded.ancestor_key
inner join placed
    on expanded.entity_key = placed.node_key
    and expanded.tree = placed.tree
    and placed.bucket_start_at >= expanded.valid_from_at
    and placed.bucket_start_at < expanded.valid_to_at
group by
    alerts.alert_id,
    placed.usage_on,
    current_pass.as_of,
    placed.model_id,
    placed.raw_key_alias
