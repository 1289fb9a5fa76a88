-- one row per price key of a snapshot that was not understood
with source as (
    select * from {{ source('raw_price_catalog', 'unparsed_keys') }}
),

snapshots as (
    select * from {{ ref('stg_price_catalog__snapshots') }}
)

select
    snapshots.snapshot_id,
    source.price_key,
    source.models_count,
    snapshots.observed_at
from source
inner join snapshots
    on source._dlt_load_id = snapshots.load_id
