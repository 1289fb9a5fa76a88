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
        source.unit,
        source.source_filter,
        source.provider_filter,
        source.model_filter,
        source.operation_filter,
        source.application_filter,
        source.feature_filter,
        source.tag_filter,
        source.period,
        source.rolling_minutes,
        source.anchor_day,
        source.timezone,
        source.amount,
        source.threshold_kind,
        source.info_level,
        source.warning_level,
        source.critical_level,
        source.hysteresis_ratio,
        source.renotify_minutes,
        source.on_no_data,
        source.mode,
        source.action,
        source.requests_per_minute,
        source.is_paused,
        source.recipients,
        {{ utc('source.valid_from_at') }} as valid_from_at,
        {{ utc('source.valid_to_at') }} as valid_to_at
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
