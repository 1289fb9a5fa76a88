-- The parts of a day are the difference between what was metered and what was billed, to the last digit.
{{ config(meta={'dagster': {'ref': {'name': 'fct_cost_reconciliation_by_model'}}}) }}
with parts as (
    select
        provider,
        usage_on,
        sum(difference_usd) as difference_usd
    from {{ ref('fct_cost_reconciliation_by_model') }}
    group by
        provider,
        usage_on
)

select
    days.provider,
    days.usage_on,
    days.difference_usd,
    parts.difference_usd as parts_usd
from {{ ref('fct_cost_reconciliation') }} as days
left join parts
    on days.provider = parts.provider
    and days.usage_on = parts.usage_on
where days.billed_cost_usd is not null
    and days.difference_usd <> coalesce(parts.difference_usd, 0)
