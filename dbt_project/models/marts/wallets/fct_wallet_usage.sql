-- one row per quarter of an hour (UTC), node, source, application, feature and wallet that the use may be drawn from
with quarter_hours as (
    select * from {{ ref('int_spend__quarter_hours') }}
),

wallets as (
    select * from {{ ref('stg_config__wallets') }}
),

limits as (
    select * from {{ ref('stg_config__wallet_limits') }}
),

expanded as (
    select * from {{ ref('int_org__expanded') }}
),

limited as (
    select
        wallet_id,
        max(case when dimension = 'source' then 1 else 0 end) as by_source,
        max(case when dimension = 'application' then 1 else 0 end) as by_application,
        max(case when dimension = 'feature' then 1 else 0 end) as by_feature
    from limits
    group by wallet_id
),

-- Each event has a place in both trees; a wallet stands on a node of one of them.
placed as (
    {{ in_both_trees('quarter_hours', node_column='member_key') }}
),

summed as (
    select
        bucket_start_at,
        tree,
        member_key,
        source_instance,
        application_key,
        feature_key,
        sum(effective_cost_usd) + sum(estimated_cost_usd) as cost_usd,
        sum(charged_usd) + sum(uncharged_cost_usd) as charged_usd
    from placed
    group by
        bucket_start_at,
        tree,
        member_key,
        source_instance,
        application_key,
        feature_key
),

-- The wallets on the node and above it that cover the use, the nearest first.
covering as (
    select
        summed.*,
        wallets.wallet_id,
        wallets.measure,
        row_number() over (
            partition by
                summed.bucket_start_at, summed.tree, summed.member_key, summed.source_instance,
                summed.application_key, summed.feature_key
            order by expanded.depth, wallets.wallet_id
        ) as nearness,
        first_value(wallets.measure) over (
            partition by
                summed.bucket_start_at, summed.tree, summed.member_key, summed.source_instance,
                summed.application_key, summed.feature_key
            order by expanded.depth, wallets.wallet_id
        ) as nearest_measure
    from summed
    inner join expanded
        on summed.member_key = expanded.entity_key
        and summed.tree = expanded.tree
        and summed.bucket_start_at >= expanded.valid_from_at
        and summed.bucket_start_at < expanded.valid_to_at
    inner join wallets
        on expanded.ancestor_key = wallets.entity_key
        and (wallets.is_shared or expanded.depth = 0)
        and summed.bucket_start_at >= wallets.valid_from_at
        and (wallets.valid_to_at is null or summed.bucket_start_at < wallets.valid_to_at)
    left join limited
        on wallets.wallet_id = limited.wallet_id
    left join limits as source_limits
        on wallets.wallet_id = source_limits.wallet_id
        and source_limits.dimension = 'source'
        and summed.source_instance = source_limits.limit_value
    left join limits as application_limits
        on wallets.wallet_id = application_limits.wallet_id
        and application_limits.dimension = 'application'
        and summed.application_key = application_limits.limit_value
    left join limits as feature_limits
        on wallets.wallet_id = feature_limits.wallet_id
        and feature_limits.dimension = 'feature'
        and summed.feature_key = feature_limits.limit_value
    where (coalesce(limited.by_source, 0) = 0 or source_limits.wallet_id is not null)
        and (coalesce(limited.by_application, 0) = 0 or application_limits.wallet_id is not null)
        and (coalesce(limited.by_feature, 0) = 0 or feature_limits.wallet_id is not null)
),

-- Amounts of two measures cannot stand in for one another: use goes on to wallets of its measure alone.
drawing as (
    select
        *,
        row_number() over (
            partition by bucket_start_at, tree, member_key, source_instance, application_key, feature_key
            order by nearness
        ) as draw_order
    from covering
    where measure = nearest_measure
),

chains as (
    select
        bucket_start_at,
        tree,
        member_key,
        source_instance,
        application_key,
        feature_key,
        {{ dbt.listagg('wallet_id', "'>'", 'order by draw_order') }} as wallet_chain
    from drawing
    group by
        bucket_start_at,
        tree,
        member_key,
        source_instance,
        application_key,
        feature_key
)

select
    drawing.bucket_start_at,
    drawing.tree,
    drawing.member_key,
    drawing.source_instance,
    drawing.application_key,
    drawing.feature_key,
    drawing.wallet_id,
    cast(drawing.draw_order as bigint) as draw_order,
    chains.wallet_chain,
    {{ money("case when drawing.measure = 'charged' then drawing.charged_usd else drawing.cost_usd end") }} as drawable_usd
from drawing
inner join chains
    on drawing.bucket_start_at = chains.bucket_start_at
    and drawing.tree = chains.tree
    and drawing.member_key = chains.member_key
    and drawing.source_instance is not distinct from chains.source_instance
    and drawing.application_key is not distinct from chains.application_key
    and drawing.feature_key is not distinct from chains.feature_key
