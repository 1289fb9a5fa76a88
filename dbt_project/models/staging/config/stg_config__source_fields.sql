-- one row per source instance, dimension and field that attributes it, as in force
with source as (
    select * from {{ source('raw_config', 'source_fields') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.source_instance,
        source.dimension,
        source.field,
        source.position
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
