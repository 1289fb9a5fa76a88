-- one row per wallet and feature that it is limited to; none for a wallet that every feature draws on
with limits as (
    select * from {{ ref('stg_config__wallet_limits') }}
)

select
    wallet_id,
    limit_value as feature_key
from limits
where dimension = 'feature'
