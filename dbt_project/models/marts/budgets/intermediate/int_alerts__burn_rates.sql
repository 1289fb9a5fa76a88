-- one row per burn-rate alert: spend of its window as a multiple of what its entity usually spends in the same window of the
-- day, over the last two weeks; what is usual counts at least as the floor. Totals of aggregates are no spend of a window.
-- Where the tokens are not critical as well, a price or a dearer model made it so
with alerts as (
    select * from {{ ref('stg_config__alerts') }}
    where kind = 'burn_rate'
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

expanded as (
    select * from {{ ref('int_org__expanded') }}
),

facts as (
    select facts.*, coalesce(facts.effective_cost_usd, 0) + coalesce(facts.estimated_cost_usd, 0) as cost_usd
    from {{ ref('fct_usage') }} as facts
    inner join current_pass
        on facts.usage_on >= cast(current_pass.as_of - interval '1 day' as date)
        and facts.occurred_at <= current_pass.as_of
    where facts.fidelity = 'per_request'
),

quarter_hours as (
    select quarter_hours.*, quarter_hours.effective_cost_usd + quarter_hours.estimated_cost_usd as cost_usd
    from {{ ref('int_spend__quarter_hours') }} as quarter_hours
    inner join current_pass
        on quarter_hours.usage_on >= cast(current_pass.as_of - interval '15 days' as date)
    where quarter_hours.fidelity = 'per_request'
),

recent as (
    {{ in_both_trees('facts') }}
),

in_review as (
    select distinct
        subject as model_id,
        concat('price to be reviewed: ', subject) as held_reason
    from {{ ref('fct_price_reviews') }}
    where kind = 'rate' and status = 'waiting'
),

in_window as (
    select
        alerts.alert_id,
        recent.model_id,
        recent.raw_key_alias,
        sum(recent.cost_usd) as cost_usd,
        sum(recent.total_tokens) as total_tokens,
        min(coalesce(held_sources.held_reason, in_review.held_reason)) as held_reason
    from alerts
    cross join current_pass
    inner join expanded
        on alerts.entity_key = expanded.ancestor_key
        and current_pass.as_of >= expanded.valid_from_at
        and current_pass.as_of < expanded.valid_to_at
    inner join recent
        on expanded.entity_key = recent.node_key
        and expanded.tree = recent.tree
        and recent.occurred_at > current_pass.as_of - (interval '1 minute') * alerts.window_minutes
    left join {{ ref('int_trust__held_sources') }} as held_sources
        on recent.source_instance = held_sources.source_instance
    left join in_review
        on recent.model_id = in_review.model_id
    group by alerts.alert_id, recent.model_id, recent.raw_key_alias
),

ranked as (
    select
        *,
        sum(cost_usd) over (partition by alert_id) as spent_usd,
        sum(total_tokens) over (partition by alert_id) as spent_tokens,
        min(held_reason) over (partition by alert_id) as spent_held_reason,
        row_number() over (partition by alert_id order by cost_usd desc, model_id, raw_key_alias) as driver_rank
    from in_window
),

spent as (
    select
        alert_id,
        max(spent_usd) as spent_usd,
        max(spent_tokens) as spent_tokens,
        max(spent_held_reason) as held_reason,
        {{ drivers_json('model_id', 'raw_key_alias', 'cost_usd', rank='driver_rank') }} as drivers_json
    from ranked
    where driver_rank <= 3
    group by alert_id
),

placed as (
    {{ in_both_trees('quarter_hours') }}
),

-- Windows in whole quarters of an hour; days before the first use of the two weeks are not counted: what is new would seem to run away.
usual as (
    select
        alerts.alert_id,
        {% for column, total in (('cost_usd', 'usual_usd'), ('total_tokens', 'usual_tokens')) -%}
        sum(
            case
                when mod({{ milliseconds_between('placed.bucket_start_at', 'current_pass.as_of') }}, 86400000)
                    between 1 and alerts.window_minutes * 60000
                    then placed.{{ column }}
                else 0
            end
        ) as {{ total }},
        {% endfor -%}
        greatest(
            least(cast(max(cast(current_pass.as_of as date)) as date) - cast(min(placed.bucket_start_at) as date), 14), 1
        ) as days_known
    from alerts
    cross join current_pass
    inner join expanded
        on alerts.entity_key = expanded.ancestor_key
        and current_pass.as_of >= expanded.valid_from_at
        and current_pass.as_of < expanded.valid_to_at
    inner join placed
        on expanded.entity_key = placed.node_key
        and expanded.tree = placed.tree
        and placed.bucket_start_at < current_pass.as_of - interval '1 day'
        and placed.bucket_start_at >= current_pass.as_of - interval '15 days'
    group by alerts.alert_id
)

select
    alerts.alert_id,
    alerts.entity_key,
    {{ ratio(
        'coalesce(spent.spent_usd, 0) * coalesce(usual.days_known, 1)',
        'greatest(coalesce(usual.usual_usd, 0), alerts.floor_usd * coalesce(usual.days_known, 1))'
    ) }} as value,
    concat(
        '{"window_minutes":', cast(alerts.window_minutes as {{ dbt.type_string() }}),
        ',"spent_usd":"', cast({{ money('coalesce(spent.spent_usd, 0)') }} as {{ dbt.type_string() }}),
        '","usual_usd_of_days":"', cast({{ money('coalesce(usual.usual_usd, 0)') }} as {{ dbt.type_string() }}),
        '","days":', cast(coalesce(usual.days_known, 0) as {{ dbt.type_string() }}),
        ',"floor_usd":"', cast(alerts.floor_usd as {{ dbt.type_string() }}), '"}'
    ) as facts_json,
    coalesce(spent.drivers_json, '[]') as top_drivers_json,
    coalesce(spent.spent_usd, 0) as spent_usd,
    case when spent.spent_tokens * usual.days_known < alerts.critical_threshold * usual.usual_tokens then 'price' end as moved_by,
    spent.held_reason
from alerts
left join spent
    on alerts.alert_id = spent.alert_id
left join usual
    on alerts.alert_id = usual.alert_id
