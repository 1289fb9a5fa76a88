-- one row per enabled budget, of the configuration in force
with source as (
    select * from {{ source('raw_config', 'budgets') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.budget_id,
        source.budget_version,
        source.entity_key,
        source.scope,
        source.measure,
        source.period,
        source.timezone,
        source.amount_usd,
        source.info_threshold_usd,
        source.warning_threshold_usd,
        source.critical_threshold_usd,
        source.mode,
        source.action,
        {{ utc('source.valid_from_at') }} as valid_from_at,
        {{ utc('source.valid_to_at') }} as valid_to_at
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
