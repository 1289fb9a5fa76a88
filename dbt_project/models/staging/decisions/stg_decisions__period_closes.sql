-- one row per closed month
with decided as (
    select * from {{ newest_decisions('period_closes') }}
)

select
    period,
    cast(concat(period, '-01') as date) as period_on,
    {{ utc('closed_at') }} as closed_at,
    snapshot_id,
    closed_by,
    totals_sha256
from decided
