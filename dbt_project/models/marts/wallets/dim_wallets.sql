-- one row per declared wallet, where its node stands as of the current pass
with wallets as (
    select * from {{ ref('stg_config__wallets') }}
),

nodes as (
    select * from {{ ref('int_org__nodes') }}
),

paths as (
    select * from {{ ref('int_org__paths') }}
),

limits as (
    select * from {{ ref('stg_config__wallet_limits') }}
),

-- Features are few; a list of them is read where a feature's balance is asked for.
limited as (
    select
        wallet_id,
        max(case when dimension in ('source', 'application') then 1 else 0 end) as other_limits_count
    from limits
    group by wallet_id
)

select
    wallets.wallet_id,
    wallets.wallet_version,
    wallets.wallet_name,
    wallets.entity_key,
    nodes.entity_name,
    paths.entity_path,
    nodes.tree,

    wallets.is_shared,
    wallets.measure,
    {{ money('wallets.usd_per_credit') }} as usd_per_credit,
    coalesce(limited.other_limits_count, 0) > 0 as is_limited_to_sources,
    wallets.recurring_json,
    wallets.top_up_json,
    wallets.alerts_json,

    wallets.valid_from_at,
    wallets.valid_to_at
from wallets
left join nodes
    on wallets.entity_key = nodes.entity_key
left join paths
    on wallets.entity_key = paths.entity_key
left join limited
    on wallets.wallet_id = limited.wallet_id
