-- one row per question about another model, of the configuration in force
with source as (
    select * from {{ source('raw_config', 'what_if_models') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.scenario,
        lower(source.provider) as provider,
        source.model_name,
        lower(source.target_provider) as target_provider,
        source.target_model
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
