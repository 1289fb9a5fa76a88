-- one row per line of revenue as last stated; the period is half-open, the amount below zero for a credit
with source as (
    select * from {{ newest_windows('revenue', 'lines') }}
),

numbered as (
    select
        *,
        -- The same id in two files: the file that was read last, then the one named last.
        row_number() over (
            partition by source_instance, line_id
            order by load_id desc, window_key desc
        ) as newest_rank
    from source
)

select
    source_instance,
    line_id,
    customer as raw_customer,
    feature as raw_feature,
    cast({{ utc('period_start_at') }} as date) as period_start_on,
    cast({{ utc('period_end_at') }} as date) as period_end_on,
    amount as revenue_amount,
    currency_code,
    {{ utc('extracted_at') }} as loaded_at
from numbered
where newest_rank = 1
