-- one row per snapshot, model, meter, service tier, size threshold, variant and range of the week
with source as (
    select * from {{ source('raw_price_catalog', 'prices') }}
),

completed_loads as (
    select load_id from {{ source('raw_price_catalog', '_dlt_loads') }}
    where status = 0
),

renamed as (
    select
        source._dlt_load_id as load_id,
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
    inner join completed_loads
        on source._dlt_load_id = completed_loads.load_id
)

select * from renamed
