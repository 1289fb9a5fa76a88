-- one row per rule and value, numbered as written, of the configuration in force
with source as (
    select * from {{ source('raw_config', 'identities') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.rule_number,
        source.dimension,
        source.source_instance,
        source.field,
        source.match_kind,
        source.match_value,
        source.target_key
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
