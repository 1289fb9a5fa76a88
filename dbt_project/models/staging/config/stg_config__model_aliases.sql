-- one row per alias of a model name and range of time, of the configuration in force
with source as (
    select * from {{ source('raw_config', 'model_aliases') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.provider,
        source.model_raw,
        source.target_provider,
        source.target_model,
        {{ utc('source.valid_from_at') }} as valid_from_at,
        {{ utc('source.valid_to_at') }} as valid_to_at
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
