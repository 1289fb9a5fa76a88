-- one row per snapshot and catalogued model
with source as (
    select * from {{ source('raw_price_catalog', 'models') }}
),

completed_loads as (
    select load_id from {{ source('raw_price_catalog', '_dlt_loads') }}
    where status = 0
),

renamed as (
    select
        source._dlt_load_id as load_id,
        source.snapshot_id,
        source.provider,
        source.model as model_name,
        source.catalogue_key,
        source.mode,
        source.rates_hash,
        source.deprecation_on,
        {{ utc('source.observed_at') }} as observed_at
    from source
    inner join completed_loads
        on source._dlt_load_id = completed_loads.load_id
)

select * from renamed
