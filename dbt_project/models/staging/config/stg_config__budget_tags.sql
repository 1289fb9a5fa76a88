-- one row per tag that a budget asks for, of the configuration in force
with source as (
    select * from {{ source('raw_config', 'budget_tags') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.tag_key,
        source.tag_value
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
