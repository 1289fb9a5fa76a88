-- one row per fixed share of a charge or commitment, of the configuration in force
with source as (
    select * from {{ source('raw_config', 'charge_shares') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.charge_id,
        source.entity_key,
        source.share_ratio
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
