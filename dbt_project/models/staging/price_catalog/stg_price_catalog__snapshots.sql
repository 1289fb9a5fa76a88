-- one row per look at a price file that found something new: accepted, refused, or confirmed after a refusal
with source as (
    select * from {{ source('raw_price_catalog', 'snapshots') }}
),

completed_loads as (
    select load_id from {{ source('raw_price_catalog', '_dlt_loads') }}
    where status = 0
),

renamed as (
    select
        source._dlt_load_id as load_id,
        source.snapshot_id,
        source.catalogue,
        source.source_url,
        source.status,
        source.reason,
        source.item_id,
        source.models_count,
        source.prices_count,
        source.rejected_count,
        source.unparsed_keys_json,
        {{ utc('source.observed_at') }} as observed_at,
        {{ utc('source.fetched_at') }} as fetched_at
    from source
    inner join completed_loads
        on source._dlt_load_id = completed_loads.load_id
)

select * from renamed
