-- What was used is drawn, owed or given back, to the last digit: by nearest wallet, member and month of the use.
{{ config(tags=['ops'], meta={'dagster': {'ref': {'name': 'fct_wallet_ledger'}}}) }}
with snapshot as (
    select * from {{ ref('published_snapshot') }}
),

usage as (
    select
        wallet_usage.wallet_id,
        wallet_usage.member_key,
        substr(cast(wallet_usage.bucket_start_at as {{ dbt.type_string() }}), 1, 7) as usage_period,
        sum(wallet_usage.drawable_usd) as drawable_usd
    from {{ ref('fct_wallet_usage') }} as wallet_usage
    inner join snapshot
        on wallet_usage.bucket_start_at <= snapshot.as_of
    where wallet_usage.draw_order = 1
    group by
        wallet_usage.wallet_id,
        wallet_usage.member_key,
        substr(cast(wallet_usage.bucket_start_at as {{ dbt.type_string() }}), 1, 7)
),

-- Wallets that are declared no more keep what closed months say.
booked as (
    select
        ledger.home_wallet_id as wallet_id,
        ledger.member_key,
        coalesce(ledger.corrected_period, ledger.period) as usage_period,
        sum(ledger.line_part_usd) as booked_usd
    from {{ ref('fct_wallet_ledger') }} as ledger
    inner join {{ ref('dim_wallets') }} as wallets
        on ledger.home_wallet_id = wallets.wallet_id
    group by
        ledger.home_wallet_id,
        ledger.member_key,
        coalesce(ledger.corrected_period, ledger.period)
)

select
    coalesce(usage.wallet_id, booked.wallet_id) as wallet_id,
    coalesce(usage.member_key, booked.member_key) as member_key,
    coalesce(usage.usage_period, booked.usage_period) as usage_period,
    usage.drawable_usd,
    booked.booked_usd
from usage
full outer join booked
    on usage.wallet_id = booked.wallet_id
    and usage.member_key = booked.member_key
    and usage.usage_period = booked.usage_period
where coalesce(usage.drawable_usd, 0) <> coalesce(booked.booked_usd, 0)
