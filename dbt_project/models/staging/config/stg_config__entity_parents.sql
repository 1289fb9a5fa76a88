-- one row per dated edge of a tree, of the configuration in force
with source as (
    select * from {{ source('raw_config', 'entity_parents') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.entity_key,
        source.parent_key,
        {{ utc('source.valid_from_at') }} as valid_from_at,
        {{ utc('source.valid_to_at') }} as valid_to_at
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
