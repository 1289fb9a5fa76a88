-- one row per enabled alert besides budgets, of the configuration in force
with source as (
    select * from {{ source('raw_config', 'alerts') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.alert_id,
        source.alert_version,
        source.kind,
        source.entity_key,
        source.window_minutes,
        source.floor_usd,
        source.info_threshold,
        source.warning_threshold,
        source.critical_threshold,
        source.hysteresis_ratio,
        source.renotify_minutes,
        source.action,
        source.on_no_data,
        source.is_paused,
        source.recipients
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
