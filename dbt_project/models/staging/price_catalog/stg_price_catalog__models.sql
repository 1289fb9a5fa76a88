-- one row per snapshot and catalogued model
with source as (
    select * from {{ raw_rows('price_catalog', 'models') }}
),

renamed as (
    select
        source.load_id,
        source.snapshot_id,
        source.provider,
        source.model as model_name,
        source.catalogue_key,
        source.mode,
        source.rates_hash,
        source.deprecation_on,
        {{ utc('source.observed_at') }} as observed_at
    from source
)

select * from renamed
