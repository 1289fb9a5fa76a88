-- one row per wallet with alerts, node, feature, model and key: use of the last seven days that may be drawn from the wallet
with wallet_usage as (
    select * from {{ ref('fct_wallet_usage') }}
),

wallets as (
    select * from {{ ref('dim_wallets') }}
),

quarter_hours as (
    select * from {{ ref('int_spend__quarter_hours') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

recent as (
    select quarter_hours.*
    from quarter_hours
    inner join current_pass
        on quarter_hours.bucket_start_at > current_pass.as_of - interval '7 days'
        and quarter_hours.bucket_start_at <= current_pass.as_of
),

placed as (
    {{ in_both_trees('recent', node_column='member_key') }}
),

drawing as (
    select
        wallet_usage.*,
        wallets.measure
    from wallet_usage
    inner join wallets
        on wallet_usage.wallet_id = wallets.wallet_id
    where wallets.alerts_json <> '[]'
)

select
    drawing.wallet_id,
    drawing.member_key,
    drawing.feature_key,
    placed.model_id,
    placed.raw_key_alias,
    {{ money(
        "sum(case when drawing.measure = 'charged' then placed.charged_usd + placed.uncharged_cost_usd"
        " else placed.effective_cost_usd + placed.estimated_cost_usd end)"
    ) }} as drawable_usd
from drawing
inner join placed
    on drawing.bucket_start_at = placed.bucket_start_at
    and drawing.tree = placed.tree
    and drawing.member_key = placed.member_key
    and drawing.source_instance is not distinct from placed.source_instance
    and drawing.application_key is not distinct from placed.application_key
    and drawing.feature_key is not distinct from placed.feature_key
group by
    drawing.wallet_id,
    drawing.member_key,
    drawing.feature_key,
    placed.model_id,
    placed.raw_key_alias
