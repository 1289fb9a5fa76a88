-- one row per currency and half-open range of days (null is open), of the configuration in force
with source as (
    select * from {{ source('raw_config', 'fx_rates') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.currency_code,
        source.usd_per_unit,
        source.valid_from_on,
        source.valid_to_on
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
