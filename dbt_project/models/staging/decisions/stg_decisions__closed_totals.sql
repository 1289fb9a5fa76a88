-- one row per line of a closed month's totals
with closes as (
    select * from {{ ref('stg_decisions__period_closes') }}
),

totals as (
    select * from {{ raw_rows('decisions', 'closed_totals') }}
),

-- A month's totals are appended once; were they ever appended again, one load of them counts.
loads as (
    select
        totals_sha256,
        max(load_id) as load_id
    from totals
    group by totals_sha256
)

select
    totals.period,
    closes.period_on,
    totals.line_kind,
    totals.corrected_period,
    totals.entity_key,
    totals.customer_key,
    totals.feature_key,
    totals.source_instance,
    totals.provider,
    totals.model_id,

    totals.list_cost_usd,
    -- Months closed before these two were kept: what was stated then.
    coalesce(totals.billed_cost_usd, totals.effective_cost_usd) as billed_cost_usd,
    totals.effective_cost_usd,
    totals.estimated_cost_usd,
    totals.charged_usd,
    totals.requests_count,
    totals.total_tokens,
    coalesce(totals.unpriced_lines_count, 0) as unpriced_lines_count
from closes
inner join loads
    on closes.totals_sha256 = loads.totals_sha256
inner join totals
    on loads.totals_sha256 = totals.totals_sha256
    and loads.load_id = totals.load_id
