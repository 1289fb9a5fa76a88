-- A provider's overview of a month is its bill to the last digit, but for days that have no bill yet and days metered
-- beyond their bill; trust.fct_cost_reconciliation names both.
{{ config(meta={'dagster': {'ref': {'name': 'fct_spend_monthly'}}}) }}
with owned as (
    select provider from {{ ref('stg_config__owned_providers') }}
),

-- A correction belongs to the bill of the month that it corrects.
overview as (
    select
        provider,
        coalesce(corrected_month_on, month_on) as month_on,
        sum(billed_cost_usd) as overview_usd
    from {{ ref('fct_spend_monthly') }}
    group by
        provider,
        coalesce(corrected_month_on, month_on)
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

billed as (
    select
        lines.provider,
        lines.billed_on as usage_on,
        sum(lines.billed_cost_usd) as billed_usd
    from {{ ref('int_bills__lines') }} as lines
    cross join current_pass
    where lines.is_authoritative
        and lines.billed_on < cast(current_pass.as_of as date)
    group by
        lines.provider,
        lines.billed_on
),

metered as (
    select
        provider,
        usage_on,
        metered_cost_usd
    from {{ ref('int_bills__metered') }}
),

charged as (
    select
        provider,
        charged_on as usage_on,
        sum(billed_cost_usd) as charged_usd
    from {{ ref('fct_charges') }}
    group by
        provider,
        charged_on
),

days as (
    select provider, usage_on from billed
    union
    select provider, usage_on from metered
),

expected as (
    select
        days.provider,
        cast(date_trunc('month', days.usage_on) as date) as month_on,
        sum(
            case
                when billed.billed_usd >= coalesce(metered.metered_cost_usd, 0) then billed.billed_usd
                else coalesce(metered.metered_cost_usd, 0) + coalesce(charged.charged_usd, 0)
            end
        ) as expected_usd
    from days
    left join charged
        on days.provider = charged.provider
        and days.usage_on = charged.usage_on
    left join billed
        on days.provider = billed.provider
        and days.usage_on = billed.usage_on
    left join metered
        on days.provider = metered.provider
        and days.usage_on = metered.usage_on
    group by
        days.provider,
        cast(date_trunc('month', days.usage_on) as date)
)

select
    owned.provider,
    expected.month_on,
    expected.expected_usd,
    overview.overview_usd
from owned
inner join expected
    on owned.provider = expected.provider
left join overview
    on expected.provider = overview.provider
    and expected.month_on = overview.month_on
where overview.overview_usd is distinct from expected.expected_usd
