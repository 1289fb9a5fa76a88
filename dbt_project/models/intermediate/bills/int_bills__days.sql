-- one row per provider and finished UTC day that the bill which owns the provider has lines of
with lines as (
    select * from {{ ref('int_bills__lines') }}
    where is_authoritative
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
)

select
    lines.provider,
    lines.billed_on as usage_on
from lines
cross join current_pass
where lines.billed_on < cast(current_pass.as_of as date)
group by
    lines.provider,
    lines.billed_on
