-- one row per snapshot, model, meter, service tier, size threshold, variant and range of the week
with source as (
    select * from {{ raw_rows('price_catalog', 'prices') }}
),

renamed as (
    select
        source.load_id,
        source.provider,
        source.model as model_name,
        source.catalogue_key,
        source.rate_key,
        source.meter,
        source.unit,
        source.service_tier,
        source.min_input_tokens,
        coalesce(source.variant, '') as variant,
        source.week_minute_from,
        source.week_minute_to,
        source.rate_usd_per_unit
    from source
)

select * from renamed
