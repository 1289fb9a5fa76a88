-- one row per entry of a wallet's book
with source as (
    select * from {{ source('raw_config', 'wallet_entries') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.entry_id,
        source.wallet_id,
        source.entry_kind,
        source.amount_usd,
        source.priority,
        source.category,
        source.grant_id,
        source.to_wallet_id,
        source.top_up_id,
        source.reason,
        {{ utc('source.effective_at') }} as effective_at,
        {{ utc('source.expires_at') }} as expires_at
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
