-- one row per node and other name it goes by, of the configuration in force
with source as (
    select * from {{ source('raw_config', 'entity_aliases') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.entity_key,
        source.alias
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
