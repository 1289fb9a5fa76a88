-- one row per approval of limits that is asked for or was given
{{ config(tags=['ops']) }}
with wants as (
    select * from {{ ref('stg_ops__wanted_limits') }}
    where approval_id is not null
),

given as (
    select * from {{ ref('stg_ops__limit_approvals') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

asked as (
    select
        approval_id,
        min(gateway) as gateway,
        count(distinct key_ref) as keys_count,
        count(distinct budget_id) as budgets_count,
        min(cause) as cause
    from wants
    group by approval_id
),

named as (
    select approval_id from asked
    union
    select approval_id from given
)

select
    named.approval_id,
    asked.gateway,
    coalesce(asked.keys_count, 0) as keys_count,
    coalesce(asked.budgets_count, 0) as budgets_count,
    asked.cause,
    case
        when given.expires_at > current_pass.as_of then 'given'
        when asked.approval_id is not null then 'waits'
        else 'expired'
    end as status,
    given.approved_by,
    given.approved_at,
    given.expires_at
from named
cross join current_pass
left join asked
    on named.approval_id = asked.approval_id
left join given
    on named.approval_id = given.approval_id
