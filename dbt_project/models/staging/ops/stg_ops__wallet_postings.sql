-- one row per posting of the wallets' book, as it is now
{{ config(tags=['ops']) }}
with source as (
    select * from {{ source('raw_ops', 'wallet_postings') }}
),

completed_loads as (
    select load_id from {{ source('raw_ops', '_dlt_loads') }}
    where status = 0
),

-- The newest revision counts; a mirror that was interrupted reads the same rows again.
ranked as (
    select
        source.posting_id,
        source.line_id,
        source.kind as posting_kind,
        source.wallet_id,
        source.lot_id as grant_id,
        source.member_key,
        source.home_wallet_id,
        source.chain as wallet_chain,
        source.period,
        source.corrected_period,
        source.amount as balance_change_usd,
        source.part as line_part_usd,
        source.stated as line_total_usd,
        source.priority,
        source.category,
        source.is_removed,
        {{ utc('source.at') }} as occurred_at,
        {{ utc('source.ended_at') }} as ended_at,
        {{ utc('source.expires_at') }} as expires_at,
        row_number() over (
            partition by source.posting_id order by source.revision desc, source._dlt_load_id desc
        ) as newest_rank
    from source
    inner join completed_loads
        on source._dlt_load_id = completed_loads.load_id
)

select
    posting_id,
    line_id,
    posting_kind,
    wallet_id,
    grant_id,
    member_key,
    home_wallet_id,
    wallet_chain,
    period,
    corrected_period,
    balance_change_usd,
    line_part_usd,
    line_total_usd,
    priority,
    category,
    occurred_at,
    ended_at,
    expires_at
from ranked
where newest_rank = 1
    and not is_removed
