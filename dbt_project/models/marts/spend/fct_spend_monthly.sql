-- one row per calendar month (UTC), provider (null: unknown) and kind of line: what was metered, what was charged beside
-- it, what the bill says beyond both, what was corrected of closed months. Together they are the provider's bill
with spend_daily as (
    select * from {{ ref('fct_spend_daily') }}
),

charges as (
    select * from {{ ref('fct_charges') }}
),

-- Each kind of line comes as one more of these.
lines as (
    select
        cast(date_trunc('month', usage_on) as date) as month_on,
        provider,
        'usage' as line_kind,
        effective_cost_usd as billed_cost_usd,
        effective_cost_usd,
        estimated_cost_usd,
        0 as unpriced_lines_count
    from spend_daily
    union all
    select
        cast(date_trunc('month', charged_on) as date) as month_on,
        provider,
        case when charge_kind = 'billed_unmetered' then 'billed_unmetered' else 'charge' end as line_kind,
        coalesce(billed_cost_usd, 0) as billed_cost_usd,
        coalesce(effective_cost_usd, 0) as effective_cost_usd,
        0 as estimated_cost_usd,
        case when billed_cost_usd is null then 1 else 0 end as unpriced_lines_count
    from charges
)

select
    month_on,
    provider,
    line_kind,

    {{ money('sum(billed_cost_usd)') }} as billed_cost_usd,
    {{ money('sum(effective_cost_usd)') }} as effective_cost_usd,
    {{ money('sum(estimated_cost_usd)') }} as estimated_cost_usd,
    cast(sum(unpriced_lines_count) as bigint) as unpriced_lines_count
from lines
group by
    month_on,
    provider,
    line_kind
