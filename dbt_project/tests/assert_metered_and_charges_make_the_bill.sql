-- Wherever a provider's bill is the larger, what was metered and what was charged are the bill, to the last digit.
{{ config(meta={'dagster': {'ref': {'name': 'fct_charges'}}}) }}
with charges as (
    select
        provider,
        charged_on,
        sum(billed_cost_usd) as charged_usd
    from {{ ref('fct_charges') }}
    -- Of the bill, whether a declared charge explains the line or not.
    where source is not null
    group by
        provider,
        charged_on
)

select
    reconciled.provider,
    reconciled.usage_on,
    reconciled.billed_cost_usd,
    reconciled.metered_cost_usd,
    charges.charged_usd
from {{ ref('fct_cost_reconciliation') }} as reconciled
left join charges
    on reconciled.provider = charges.provider
    and reconciled.usage_on = charges.charged_on
where reconciled.billed_cost_usd >= reconciled.metered_cost_usd
    and reconciled.metered_cost_usd + coalesce(charges.charged_usd, 0) <> reconciled.billed_cost_usd
