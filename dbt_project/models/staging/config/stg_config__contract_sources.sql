-- one row per contract and source instance that it covers, of the configuration in force
with source as (
    select * from {{ source('raw_config', 'contract_sources') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.contract_id,
        source.source_instance
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
