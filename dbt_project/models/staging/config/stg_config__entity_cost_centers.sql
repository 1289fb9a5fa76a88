-- one row per node and range with a cost centre of its own, of the configuration in force
with source as (
    select * from {{ source('raw_config', 'entity_cost_centers') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.entity_key,
        source.cost_center,
        {{ utc('source.valid_from_at') }} as valid_from_at,
        {{ utc('source.valid_to_at') }} as valid_to_at
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
