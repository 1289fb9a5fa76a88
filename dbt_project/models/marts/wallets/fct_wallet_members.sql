-- one row per wallet, node and month: what the node's use drew from the wallet
{{ config(tags=['ops']) }}
with ledger as (
    select * from {{ ref('fct_wallet_ledger') }}
)

select
    wallet_id,
    member_key,
    coalesce(corrected_period, period) as usage_period,
    {{ money("sum(case when posting_kind <> 'debt' then line_part_usd else 0 end)") }} as drawn_usd,
    {{ money("sum(case when posting_kind = 'debt' then line_part_usd else 0 end)") }} as debt_usd
from ledger
where member_key is not null
group by
    wallet_id,
    member_key,
    coalesce(corrected_period, period)
