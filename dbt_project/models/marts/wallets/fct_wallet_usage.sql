-- one row per quarter of an hour (UTC), node, source, application, feature and wallet that the use may be drawn from
{% set place = ['tree', 'member_key', 'source_instance', 'application_key', 'feature_key'] %}
with quarter_hours as (
    select * from {{ ref('int_spend__quarter_hours') }}
),

chains as (
    select * from {{ ref('int_wallets__chains') }}
),

placed as (
    {{ in_both_trees('quarter_hours', node_column='member_key') }}
),

summed as (
    select
        bucket_start_at,
        {{ place | join(', ') }},
        sum(effective_cost_usd) + sum(estimated_cost_usd) as cost_usd,
        sum(charged_usd) + sum(uncharged_cost_usd) as charged_usd
    from placed
    group by
        bucket_start_at,
        {{ place | join(', ') }}
)

select
    summed.bucket_start_at,
    summed.tree,
    summed.member_key,
    summed.source_instance,
    summed.application_key,
    summed.feature_key,
    chains.wallet_id,
    cast(chains.draw_order as bigint) as draw_order,
    chains.wallet_chain,
    {{ money("case when chains.measure = 'charged' then summed.charged_usd else summed.cost_usd end") }} as drawable_usd
from summed
inner join chains
    on {{ same_columns(place, 'summed', 'chains') }}
    and summed.bucket_start_at >= chains.starts_at
    and summed.bucket_start_at < chains.ends_at
