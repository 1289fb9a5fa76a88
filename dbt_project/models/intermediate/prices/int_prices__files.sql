-- one row per accepted content of a price file, in the order in which each catalogue's were seen
with snapshots as (
    select * from {{ ref('stg_price_catalog__snapshots') }}
)

select
    load_id,
    catalogue,
    snapshot_id,
    observed_at,
    row_number() over (partition by catalogue order by observed_at, load_id) as ordinal
from snapshots
where status = 'accepted'
