-- one row per provider that has a bill, with the source instance that is it, as in force
with source as (
    select * from {{ source('raw_config', 'owned_providers') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.source_instance,
        source.provider
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
