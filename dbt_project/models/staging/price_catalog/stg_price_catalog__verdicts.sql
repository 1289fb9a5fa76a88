-- one row per snapshot and rate that the guards flagged or held back
with source as (
    select * from {{ raw_rows('price_catalog', 'verdicts') }}
),

renamed as (
    select
        source.load_id,
        source.snapshot_id,
        source.item_id,
        source.provider,
        source.model as model_name,
        source.catalogue_key,
        source.rate_key,
        source.meter,
        source.unit,
        source.service_tier,
        source.min_input_tokens,
        source.verdict,
        source.reason,
        source.is_used,
        source.old_rate_usd_per_unit,
        source.new_rate_usd_per_unit,
        {{ utc('source.observed_at') }} as observed_at
    from source
)

select * from renamed
