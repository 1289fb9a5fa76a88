-- one row per declared wallet: what came in, what went out, what is left as of the snapshot
{{ config(tags=['ops']) }}
{% set flows = {
    'granted': 'grant', 'transferred_in': 'transfer_in', 'adjusted': 'adjustment', 'used': 'use', 'expired': 'expiry',
    'voided': 'void', 'transferred_out': 'transfer_out',
} %}
{% set outward = ['used', 'expired', 'voided', 'transferred_out'] %}
with ledger as (
    select * from {{ ref('fct_wallet_ledger') }}
),

wallets as (
    select * from {{ ref('dim_wallets') }}
),

entries as (
    select * from {{ ref('dim_wallet_entries') }}
),

snapshot as (
    select * from {{ ref('published_snapshot') }}
),

-- A top-up is answered when the payment or void itself stands in the ledger, not when it is declared.
answered as (
    select concat('top_up|', coalesce(entries.top_up_id, entries.grant_id)) as line_id
    from entries
    inner join ledger
        on concat(entries.entry_kind, '|', entries.entry_id) = ledger.line_id
    where coalesce(entries.top_up_id, entries.grant_id) is not null
    group by coalesce(entries.top_up_id, entries.grant_id)
),

summed as (
    select
        ledger.wallet_id,
        {% for name, kind in flows.items() -%}
        sum(case when ledger.posting_kind = '{{ kind }}' then
            {{ '-' if name in outward }}ledger.balance_change_usd else 0 end) as {{ name }}_usd,
        {% endfor -%}
        sum(case when ledger.posting_kind = 'debt' then ledger.line_part_usd else 0 end) as debt_usd,
        sum(case when ledger.posting_kind = 'top_up_pending' and answered.line_id is null
            then ledger.line_part_usd else 0 end) as pending_top_up_usd,
        sum(case when ledger.is_settled then ledger.balance_change_usd else 0 end) as settled_balance_usd,
        sum(ledger.balance_change_usd) as ongoing_balance_usd
    from ledger
    left join answered
        on ledger.line_id = answered.line_id
    group by ledger.wallet_id
)

select
    wallets.wallet_id,
    wallets.wallet_name,
    wallets.entity_key,
    wallets.entity_path,
    wallets.tree,
    wallets.measure,

    {% for name in flows.keys() | list + ['debt', 'pending_top_up', 'settled_balance', 'ongoing_balance'] -%}
    {{ money('coalesce(summed.' ~ name ~ '_usd, 0)') }} as {{ name }}_usd,
    {% endfor -%}
    {{ ratio('coalesce(summed.settled_balance_usd, 0)', 'wallets.usd_per_credit') }} as settled_balance_credits,
    {{ ratio('coalesce(summed.ongoing_balance_usd, 0)', 'wallets.usd_per_credit') }} as ongoing_balance_credits,

    snapshot.snapshot_id,
    snapshot.as_of
from wallets
left join summed
    on wallets.wallet_id = summed.wallet_id
cross join snapshot
