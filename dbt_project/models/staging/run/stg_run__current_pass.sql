-- one row: the newest pass whose beginning was completed
with source as (
    select * from {{ source('raw_run', 'passes') }}
),

completed_loads as (
    select load_id from {{ source('raw_run', '_dlt_loads') }}
    where status = 0
),

numbered as (
    select
        source.pass_id,
        {{ utc('source.as_of') }} as as_of,
        row_number() over (order by source.pass_id desc) as newest_rank
    from source
    inner join completed_loads
        on source._dlt_load_id = completed_loads.load_id
)

select
    pass_id,
    as_of
from numbered
where newest_rank = 1
