-- one row: the last closed month, and the first open one, in which what is found out of closed ones is booked; null
-- months while nothing is closed. A month before the last closed one counts as closed too
with closes as (
    select * from {{ ref('stg_decisions__period_closes') }}
),

newest as (
    select max(period_on) as last_closed_on
    from closes
)

select
    last_closed_on,
    cast({{ dbt.dateadd('month', 1, 'last_closed_on') }} as date) as booked_on
from newest
