-- one row per declared entry of a wallet's book
with entries as (
    select * from {{ ref('stg_config__wallet_entries') }}
)

select
    entry_id,
    wallet_id,
    entry_kind,
    {{ money('amount_usd') }} as amount_usd,
    cast(priority as bigint) as priority,
    category,
    grant_id,
    to_wallet_id,
    top_up_id,
    reason,
    effective_at,
    expires_at
from entries
