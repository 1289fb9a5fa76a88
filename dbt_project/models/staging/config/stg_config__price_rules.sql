-- one row per price rule of either side, meter and service tier it speaks of (null: all), of the configuration in force
with source as (
    select * from {{ source('raw_config', 'price_rules') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.rule_id,
        source.side,
        source.rule_kind,
        source.scope,
        source.scope_key,
        source.feature_key,
        lower(source.provider) as provider,
        source.model_name,
        source.meter,
        source.service_tier,
        source.priority,
        source.rate_usd_per_unit,
        source.factor_ratio,
        source.amount_usd,
        source.is_on_previous,
        coalesce({{ utc('source.valid_from_at') }}, timestamp '1900-01-01 00:00:00') as valid_from_at,
        coalesce({{ utc('source.valid_to_at') }}, timestamp '9999-12-31 00:00:00') as valid_to_at
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
