-- one row per UTC day of the calendar to the end of the current pass's month, with its place in its month
with digits as (
    {% for digit in range(10) -%}
    select {{ digit }} as digit
    {%- if not loop.last %} union all {% endif %}
    {% endfor %}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

days as (
    select
        cast(
            {{ dbt.dateadd(
                'day',
                'thousands.digit * 1000 + hundreds.digit * 100 + tens.digit * 10 + ones.digit',
                "date '2020-01-01'",
            ) }} as date
        ) as day_on
    from digits as thousands
    cross join digits as hundreds
    cross join digits as tens
    cross join digits as ones
),

months as (
    select
        day_on,
        cast(date_trunc('month', day_on) as date) as month_on
    from days
)

select
    months.day_on,
    months.month_on,
    cast(extract(day from months.day_on) as integer) as day_number,
    cast(
        extract(
            day from {{ dbt.dateadd('day', -1, dbt.dateadd('month', 1, 'months.month_on')) }}
        ) as integer
    ) as days_in_month
from months
cross join current_pass
where months.month_on <= cast(current_pass.as_of as date)
