-- one row per forecast alert and budget of the calendar: its use at the end of its period, as a share of its amount
with alerts as (
    select * from {{ ref('stg_config__alerts') }}
    where kind = 'forecast'
),

budgets as (
    select * from {{ ref('fct_budget_status') }}
    where is_current and not is_paused and period in ('week', 'month', 'quarter', 'year') and amount > 0
)

select
    alerts.alert_id,
    budgets.budget_id,
    budgets.entity_key,
    -- At the pace of the period so far; not before three days of it are known.
    case
        when budgets.as_of >= greatest(budgets.period_start_at, budgets.first_usage_at) + interval '3 days'
            then
                {{ ratio(
                    'budgets.used * ' ~ milliseconds_between('budgets.period_start_at', 'budgets.period_end_at'),
                    'budgets.amount * ' ~ milliseconds_between('budgets.period_start_at', 'budgets.as_of')
                ) }}
    end as value,
    concat(
        '{"budget":"', budgets.budget_id, '","unit":"', budgets.unit,
        '","used":"', cast(budgets.used as {{ dbt.type_string() }}),
        '","amount":"', cast(budgets.amount as {{ dbt.type_string() }}), '"}'
    ) as facts_json,
    budgets.top_drivers_json,
    budgets.period_start_at,
    budgets.period_end_at
from alerts
cross join budgets
