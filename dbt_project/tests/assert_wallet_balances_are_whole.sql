-- What came into a wallet is what is left of it and what went out, so no kind of posting is left out of either.
{{ config(tags=['ops'], meta={'dagster': {'ref': {'name': 'fct_wallet_balances'}}}) }}
with flows as (
    select
        wallet_id,
        granted_usd + transferred_in_usd + adjusted_usd as in_usd,
        used_usd + expired_usd + voided_usd + transferred_out_usd as out_usd,
        ongoing_balance_usd
    from {{ ref('fct_wallet_balances') }}
)

select *
from flows
where in_usd <> out_usd + ongoing_balance_usd
