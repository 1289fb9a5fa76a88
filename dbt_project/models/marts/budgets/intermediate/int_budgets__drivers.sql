-- one row per budget and period: its three largest drivers (who, which model, which key) as JSON text
with budget_use as (
    select * from {{ ref('int_budgets__use') }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by budget_id, period_start_at
            order by priced_use + estimated_use desc, entity_key, model_id, raw_key_hash
        ) as driver_rank
    from budget_use
),

written as (
    select
        budget_id,
        period_start_at,
        driver_rank,
        concat(
            '{"entity":', {{ json_quote('entity_key') }},
            ',"model":', {{ json_quote('model_id') }},
            ',"key":', {{ json_quote('raw_key_alias') }},
            ',"used":"', cast(priced_use + estimated_use as {{ dbt.type_string() }}), '"}'
        ) as driver_json
    from ranked
    where driver_rank <= 3
)

select
    budget_id,
    period_start_at,
    concat(
        '[',
        {{ dbt.listagg('driver_json', "','", 'order by driver_rank') }},
        ']'
    ) as top_drivers_json
from written
group by
    budget_id,
    period_start_at
