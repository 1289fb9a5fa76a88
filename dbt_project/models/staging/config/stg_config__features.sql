-- one row per feature, of the configuration in force
with source as (
    select * from {{ source('raw_config', 'features') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.feature_key,
        source.feature_name
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
