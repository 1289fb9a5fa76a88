-- one row per calendar month, provider (null: all of them), tree, node and feature (customers only): what was metered of
-- it there, by which charges are shared
with spend_daily as (
    select * from {{ ref('fct_spend_daily') }}
),

monthly as (
    select
        cast(date_trunc('month', usage_on) as date) as month_on,
        provider,
        entity_key,
        customer_key,
        feature_key,
        sum(effective_cost_usd) as effective_cost_usd
    from spend_daily
    group by
        cast(date_trunc('month', usage_on) as date),
        provider,
        entity_key,
        customer_key,
        feature_key
),

placed as (
    select
        month_on,
        provider,
        'owner' as tree,
        entity_key,
        cast(null as {{ dbt.type_string() }}) as feature_key,
        effective_cost_usd
    from monthly
    union all
    select
        month_on,
        provider,
        'customer' as tree,
        customer_key as entity_key,
        feature_key,
        effective_cost_usd
    from monthly
),

-- Each provider apart, and all of them together.
scoped as (
    select * from placed
    where provider is not null
    union all
    select
        month_on,
        cast(null as {{ dbt.type_string() }}) as provider,
        tree,
        entity_key,
        feature_key,
        effective_cost_usd
    from placed
)

select
    month_on,
    provider,
    tree,
    entity_key,
    feature_key,
    {{ usd_weight('sum(effective_cost_usd)') }} as usage_weight
from scoped
group by
    month_on,
    provider,
    tree,
    entity_key,
    feature_key
having sum(effective_cost_usd) > 0
