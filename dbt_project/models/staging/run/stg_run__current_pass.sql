-- one row: the newest pass
with source as (
    select * from {{ source('raw_run', 'passes') }}
),

numbered as (
    select
        pass_id,
        {{ utc('as_of') }} as as_of,
        row_number() over (order by pass_id desc) as newest_rank
    from source
)

select
    pass_id,
    as_of
from numbered
where newest_rank = 1
