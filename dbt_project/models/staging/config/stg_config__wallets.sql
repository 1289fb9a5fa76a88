-- one row per wallet, of the configuration in force
with source as (
    select * from {{ source('raw_config', 'wallets') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.wallet_id,
        source.wallet_version,
        source.wallet_name,
        source.entity_key,
        source.is_shared,
        source.measure,
        source.usd_per_credit,
        source.recurring_json,
        source.top_up_json,
        source.alerts_json,
        {{ utc('source.valid_from_at') }} as valid_from_at,
        {{ utc('source.valid_to_at') }} as valid_to_at
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
