-- one row per price change that a person accepted
with decided as (
    select * from {{ newest_decisions('price_approvals') }}
)

select
    approval_id,
    approved_by,
    {{ utc('approved_at') }} as approved_at
from decided
