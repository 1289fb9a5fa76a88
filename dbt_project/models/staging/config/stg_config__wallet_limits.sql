-- one row per source, application or feature that a wallet is limited to
with source as (
    select * from {{ source('raw_config', 'wallet_limits') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.wallet_id,
        source.dimension,
        source.limit_value
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
