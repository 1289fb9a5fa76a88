-- one row per source instance, of the configuration in force
with source as (
    select * from {{ source('raw_config', 'sources') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.source_instance,
        source.system,
        source.is_enabled,
        source.evidence_layer,
        source.cost_policy,
        source.covered_by,
        source.covered_keys_json,
        source.stale_after_hours,
        source.cost_tolerance_ratio,
        source.default_entity_key,
        source.default_customer_key,
        source.auto_create
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
