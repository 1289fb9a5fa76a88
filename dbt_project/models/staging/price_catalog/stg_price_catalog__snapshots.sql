-- one row per look at a price file that found something new: accepted, refused, or confirmed after a refusal
with source as (
    select * from {{ raw_rows('price_catalog', 'snapshots') }}
),

renamed as (
    select
        source.load_id,
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
)

select * from renamed
