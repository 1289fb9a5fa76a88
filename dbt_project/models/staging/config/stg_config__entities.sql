-- one row per node of either tree, of the configuration in force
with source as (
    select * from {{ source('raw_config', 'entities') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.entity_key,
        source.tree,
        source.entity_type,
        source.entity_name,
        source.email
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
