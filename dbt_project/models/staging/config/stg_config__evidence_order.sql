-- one row per evidence layer or source instance in the order in which they carry the cost of one request, as in force
with source as (
    select * from {{ source('raw_config', 'evidence_order') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.position,
        source.name
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
