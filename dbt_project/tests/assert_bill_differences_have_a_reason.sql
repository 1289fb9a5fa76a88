-- Of a provider's bill of a month at most one in two hundred dollars differs for no known reason. A warning: the bill may
-- say too little, and no budget waits for it.
{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'fct_cost_reconciliation_by_model'}}}) }}
with unexplained as (
    select
        provider,
        {{ dbt.date_trunc('month', 'usage_on') }} as month_start_on,
        sum(abs(difference_usd)) as unexplained_usd
    from {{ ref('fct_cost_reconciliation_by_model') }}
    where reason = 'unexplained'
    group by
        provider,
        {{ dbt.date_trunc('month', 'usage_on') }}
),

billed as (
    select
        provider,
        {{ dbt.date_trunc('month', 'usage_on') }} as month_start_on,
        sum(billed_cost_usd) as billed_cost_usd
    from {{ ref('fct_cost_reconciliation') }}
    group by
        provider,
        {{ dbt.date_trunc('month', 'usage_on') }}
)

select
    unexplained.provider,
    unexplained.month_start_on,
    unexplained.unexplained_usd,
    billed.billed_cost_usd
from unexplained
left join billed
    on unexplained.provider = billed.provider
    and unexplained.month_start_on = billed.month_start_on
where unexplained.unexplained_usd > coalesce(billed.billed_cost_usd, 0) * 0.005
