-- one row per step taken or planned at a gateway
{{ config(tags=['ops']) }}
with enforcement_actions as (
    select * from {{ ref('stg_ops__enforcement_actions') }}
)

select
    cast(sequence_number as bigint) as sequence_number,
    acted_at,
    gateway,
    key_ref,
    generation,
    verb,
    is_dry_run,
    result,
    reason
from enforcement_actions
