-- one row per approval of limits, as it was given last
{{ config(tags=['ops']) }}
with source as (
    select * from {{ source('raw_ops', 'limit_approvals') }}
)

select
    id as approval_id,
    approved_by,
    {{ utc('approved_at') }} as approved_at,
    {{ utc('expires_at') }} as expires_at
from source
