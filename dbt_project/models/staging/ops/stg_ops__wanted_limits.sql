-- one row per wanted limit and budget that asks for it, as of the last mirror
{{ config(tags=['ops']) }}
with source as (
    select * from {{ source('raw_ops', 'wanted_limits') }}
)

select
    gateway,
    key_ref,
    budget_id,
    key_alias,
    generation,
    want,
    remaining_usd,
    requests_per_minute,
    held_reason,
    approval_id,
    is_armed,
    snapshot_id,
    entity_key,
    action,
    cause,
    used,
    amount,
    own_usage_ratio
from source
