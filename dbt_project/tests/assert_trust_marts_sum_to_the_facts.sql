-- What the trust marts say of cost and estimate is what the acts say, to the last digit.
{{ config(meta={'dagster': {'ref': {'name': 'fct_coverage_daily'}}}) }}
with facts as (
    select
        sum(coalesce(effective_cost_usd, 0)) as effective_cost_usd,
        sum(coalesce(estimated_cost_usd, 0)) as estimated_cost_usd,
        sum(case when provider is not null then coalesce(effective_cost_usd, 0) else 0 end) as of_providers_usd
    from {{ ref('fct_usage') }}
    where is_costed
),

claims as (
    select
        'fct_coverage_daily' as mart,
        sum(effective_cost_usd) as claimed_usd,
        (select effective_cost_usd from facts) as expected_usd
    from {{ ref('fct_coverage_daily') }}
    union all
    select
        'fct_coverage_daily, estimate' as mart,
        sum(estimated_cost_usd) as claimed_usd,
        (select estimated_cost_usd from facts) as expected_usd
    from {{ ref('fct_coverage_daily') }}
    union all
    select
        'fct_unpriced_usage, estimate' as mart,
        coalesce(sum(estimated_cost_usd), 0) as claimed_usd,
        (select estimated_cost_usd from facts) as expected_usd
    from {{ ref('fct_unpriced_usage') }}
    union all
    select
        'int_bills__metered' as mart,
        sum(metered_cost_usd) as claimed_usd,
        (select of_providers_usd from facts) as expected_usd
    from {{ ref('int_bills__metered') }}
)

select
    mart,
    claimed_usd,
    expected_usd
from claims
where coalesce(claimed_usd, 0) <> coalesce(expected_usd, 0)
