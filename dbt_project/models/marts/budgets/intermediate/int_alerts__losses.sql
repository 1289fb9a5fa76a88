-- one row per negative-margin alert: what this month's income of its customer lacks of its cost; null where it is not known
with alerts as (
    select * from {{ ref('stg_config__alerts') }}
    where kind = 'negative_margin'
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

expanded as (
    select * from {{ ref('int_org__expanded') }}
    where tree = 'customer'
),

margins as (
    select margins.*
    from {{ ref('fct_margin_monthly') }} as margins
    inner join current_pass
        on margins.month_on = cast(date_trunc('month', current_pass.as_of) as date)
),

summed as (
    select
        alerts.alert_id,
        -- A part of it that is not known makes the whole unknown.
        case when count(*) = count(margins.income_usd) then sum(margins.income_usd) end as income_usd,
        sum(margins.effective_cost_usd) as effective_cost_usd
    from alerts
    cross join current_pass
    inner join expanded
        on alerts.entity_key = expanded.ancestor_key
        and current_pass.as_of >= expanded.valid_from_at
        and current_pass.as_of < expanded.valid_to_at
    inner join margins
        on expanded.entity_key = margins.customer_key
    group by alerts.alert_id
)

select
    alerts.alert_id,
    alerts.entity_key,
    summed.effective_cost_usd - summed.income_usd as value,
    concat(
        '{"currency":"USD","income_usd":', {{ json_quote('cast(summed.income_usd as ' ~ dbt.type_string() ~ ')') }},
        ',"cost_usd":', {{ json_quote('cast(summed.effective_cost_usd as ' ~ dbt.type_string() ~ ')') }}, '}'
    ) as facts_json
from alerts
left join summed
    on alerts.alert_id = summed.alert_id
