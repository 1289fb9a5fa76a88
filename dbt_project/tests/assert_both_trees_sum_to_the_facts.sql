-- Each tree's root holds the whole, and so do the sums of what is booked on its nodes.
{{ config(meta={'dagster': {'ref': {'name': 'fct_entity_spend_daily'}}}) }}
with facts as (
    select
        usage_on,
        count(*) as requests_count,
        sum(coalesce(effective_cost_usd, 0)) as effective_cost_usd
    from {{ ref('fct_usage') }}
    group by usage_on
),

booked as (
    select
        usage_on,
        tree,
        sum(individual_requests_count) as requests_count,
        sum(individual_effective_cost_usd) as effective_cost_usd
    from {{ ref('fct_entity_spend_daily') }}
    group by
        usage_on,
        tree
),

root_days as (
    select daily.*
    from {{ ref('fct_entity_spend_daily') }} as daily
    inner join {{ ref('int_org__paths') }} as paths
        on daily.entity_key = paths.entity_key
    where paths.parent_key is null
),

-- As the tree stood, and as it stands.
roots as (
    select
        usage_on,
        tree,
        consolidated_requests_count as requests_count,
        consolidated_effective_cost_usd as effective_cost_usd
    from root_days
    union all
    select
        usage_on,
        tree,
        current_consolidated_requests_count as requests_count,
        current_consolidated_effective_cost_usd as effective_cost_usd
    from root_days
),

claimed as (
    select * from booked
    union all
    select * from roots
)

select
    facts.usage_on,
    claimed.tree,
    facts.requests_count,
    claimed.requests_count as claimed_requests_count,
    facts.effective_cost_usd,
    claimed.effective_cost_usd as claimed_cost_usd
from facts
left join claimed
    on facts.usage_on = claimed.usage_on
where claimed.usage_on is null
    or facts.requests_count <> claimed.requests_count
    or facts.effective_cost_usd <> claimed.effective_cost_usd
