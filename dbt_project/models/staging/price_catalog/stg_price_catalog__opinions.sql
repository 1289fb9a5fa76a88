-- one row per model, meter, size and day from which a second source says that a rate holds, of its newest content
with source as (
    select * from {{ raw_rows('price_catalog', 'opinions') }}
),

newest as (
    select max(source.load_id) as load_id
    from source
)

select
    source.load_id,
    source.opinions_sha256 as snapshot_id,
    source.provider,
    source.model as model_name,
    source.meter,
    source.min_input_tokens,
    source.rate_usd_per_unit,
    coalesce(cast(source.valid_from_on as timestamp), timestamp '1970-01-01 00:00:00') as valid_from_at,
    {{ utc('source.observed_at') }} as observed_at
from source
inner join newest
    on source.load_id = newest.load_id
