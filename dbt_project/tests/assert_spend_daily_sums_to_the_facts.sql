-- Token kinds and adjustments of a day sum to the effective cost of its acts; requests are counted once.
{{ config(meta={'dagster': {'ref': {'name': 'fct_spend_daily'}}}) }}
with facts as (
    select
        usage_on,
        count(*) as requests_count,
        sum(total_tokens) as total_tokens,
        sum(coalesce(effective_cost_usd, 0)) as effective_cost_usd
    from {{ ref('fct_usage') }}
    group by usage_on
),

daily as (
    select
        usage_on,
        sum(case when token_kind = 'requests' then quantity else 0 end) as requests_count,
        sum(case when token_kind not in ('requests', 'adjustment') then quantity else 0 end) as total_tokens,
        sum(effective_cost_usd) as effective_cost_usd
    from {{ ref('fct_spend_daily') }}
    group by usage_on
)

select
    facts.usage_on,
    facts.effective_cost_usd,
    daily.effective_cost_usd as daily_cost_usd
from facts
full outer join daily
    on facts.usage_on = daily.usage_on
where facts.usage_on is null
    or daily.usage_on is null
    or facts.requests_count <> daily.requests_count
    or facts.total_tokens <> daily.total_tokens
    or facts.effective_cost_usd <> daily.effective_cost_usd
