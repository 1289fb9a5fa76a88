-- one row per calendar month (UTC), provider (null: unknown), kind of line and month it corrects: what was metered, what was
-- charged beside it, what the bill says beyond both, what was corrected of closed months. A closed month is as it was
-- stated; together with what corrects it later it is the provider's bill
with spend_daily as (
    select * from {{ ref('fct_spend_daily') }}
),

charges as (
    select * from {{ ref('fct_charges') }}
),

statement as (
    select
        *,
        cast(concat(period, '-01') as date) as month_on,
        case when corrected_period is not null then cast(concat(corrected_period, '-01') as date) end
            as corrected_month_on
    from {{ ref('fct_statement_monthly') }}
    where is_closed or corrected_period is not null
),

books as (
    select * from {{ ref('int_closing__books') }}
),

-- Each kind of line comes as one more of these.
current_lines as (
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
),

lines as (
    select
        current_lines.*,
        cast(null as date) as corrected_month_on
    from current_lines
    cross join books
    where books.last_closed_on is null or current_lines.month_on > books.last_closed_on
    union all
    select
        month_on,
        provider,
        case
            when corrected_month_on is not null then 'correction'
            when line_kind in ('usage', 'billed_unmetered') then line_kind
            else 'charge'
        end as line_kind,
        billed_cost_usd,
        effective_cost_usd,
        estimated_cost_usd,
        unpriced_lines_count,
        corrected_month_on
    from statement
)

select
    month_on,
    provider,
    line_kind,
    corrected_month_on,

    {{ money('sum(billed_cost_usd)') }} as billed_cost_usd,
    {{ money('sum(effective_cost_usd)') }} as effective_cost_usd,
    {{ money('sum(estimated_cost_usd)') }} as estimated_cost_usd,
    cast(sum(unpriced_lines_count) as bigint) as unpriced_lines_count
from lines
group by
    month_on,
    provider,
    line_kind,
    corrected_month_on
