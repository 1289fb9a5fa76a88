-- one row per repricing that was ever applied
with decided as (
    select * from {{ newest_decisions('repricings') }}
)

select
    repricing_id,
    {{ utc('from_at') }} as from_at,
    {{ utc('to_at') }} as to_at,
    {{ utc('as_known_at') }} as as_known_at,
    price_key,
    is_undone,
    {{ utc('applied_at') }} as applied_at,
    applied_by
from decided
