-- one row per rate or entry of a snapshot that was refused
with source as (
    select * from {{ source('raw_price_catalog', 'prices__rejected') }}
),

snapshots as (
    select * from {{ ref('stg_price_catalog__snapshots') }}
)

select
    snapshots.snapshot_id,
    source.source_locator as catalogue_key,
    source.column_name,
    source.reason,
    snapshots.observed_at
from source
inner join snapshots
    on source._dlt_load_id = snapshots.load_id
