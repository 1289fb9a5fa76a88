-- one row per gateway, key and budget that asks for its limit: what ought to stand there, and what it waits for
{{ config(tags=['ops']) }}
with wants as (
    select * from {{ ref('stg_ops__wanted_limits') }}
),

approvals as (
    select * from {{ ref('stg_ops__limit_approvals') }}
),

owners as (
    select * from {{ ref('dim_entity_owners') }}
    where is_current
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
)

select
    wants.gateway,
    wants.key_ref,
    wants.budget_id,
    wants.key_alias,
    wants.generation,
    wants.want,
    {{ money('wants.remaining_usd') }} as remaining_usd,
    wants.requests_per_minute,
    wants.is_armed,
    case
        when wants.held_reason is not null then 'held'
        when wants.approval_id is not null and (approvals.expires_at is null or approvals.expires_at <= current_pass.as_of)
            then 'waits_for_approval'
        when not wants.is_armed then 'dry_run'
        else 'to_be_set'
    end as status,
    wants.held_reason,
    wants.approval_id,
    wants.action as asked_for,
    wants.cause,
    wants.entity_key,
    owners.owner_name,
    owners.owner_channel,
    {{ money('wants.used') }} as used,
    {{ money('wants.amount') }} as amount,
    wants.own_usage_ratio,
    wants.snapshot_id
from wants
cross join current_pass
left join approvals
    on wants.approval_id = approvals.approval_id
left join owners
    on wants.entity_key = owners.entity_key
