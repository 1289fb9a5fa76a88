-- one row per temporary increase of a budget, of the configuration in force
with source as (
    select * from {{ source('raw_config', 'budget_increases') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.budget_id,
        source.amount,
        coalesce({{ utc('source.valid_from_at') }}, timestamp '1970-01-01 00:00:00') as valid_from_at,
        coalesce({{ utc('source.valid_to_at') }}, timestamp '9999-12-31 00:00:00') as valid_to_at
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
