-- one row per source instance and check of what it gave: how much was looked at, how much of it is wrong, and how much may be
{%- set tolerated_ratios = {'rows_accounted_for': 0, 'rows_fit': 0.01, 'daily_totals_tie': 0.05} %}
with current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

sources as (
    select * from {{ ref('fct_source_freshness') }}
    where source is not null
),

control_totals as (
    select
        *,
        sum(metered_quantity) over (partition by source_instance, scope, measure) as metered_ever
    from {{ ref('fct_control_totals') }}
),

-- What was read, what is there of it and what was set aside, load by load.
counted as (
    select
        source_instance,
        resource,
        load_id,
        rows_read_count as rows_read,
        0 as rows_loaded,
        0 as rows_rejected,
        extracted_at
    from {{ ref('stg_loads__reads') }}
    union all
    select
        source_instance,
        resource,
        load_id,
        0 as rows_read,
        rows_count as rows_loaded,
        0 as rows_rejected,
        extracted_at
    from {{ ref('stg_loads__rows') }}
    union all
    select
        source_instance,
        resource,
        load_id,
        0 as rows_read,
        0 as rows_loaded,
        1 as rows_rejected,
        extracted_at
    from {{ ref('stg_loads__rejected') }}
),

-- Of a month, so that what was lost and read again does not count for good.
recent_loads as (
    select
        counted.source_instance,
        counted.resource,
        counted.load_id,
        sum(counted.rows_read) as rows_read,
        sum(counted.rows_loaded) as rows_loaded,
        sum(counted.rows_rejected) as rows_rejected,
        max(counted.extracted_at) > max(sources.last_read_at) - interval '1 day' as is_of_last_day
    from counted
    inner join sources
        on counted.source_instance = sources.source_instance
        and counted.extracted_at > sources.last_read_at - interval '31 days'
    group by
        counted.source_instance,
        counted.resource,
        counted.load_id
),

checked as (
    select
        source_instance,
        'rows_accounted_for' as check_name,
        sum(rows_read) as checked_quantity,
        sum(abs(rows_read - rows_loaded - rows_rejected)) as wrong_quantity
    from recent_loads
    group by source_instance
    union all
    select
        source_instance,
        'rows_fit' as check_name,
        sum(rows_read) as checked_quantity,
        sum(rows_rejected) as wrong_quantity
    from recent_loads
    where is_of_last_day
    group by source_instance
    union all
    -- Of the week that ended two days ago: younger days may not be whole on either side. A service without acts is none of AI.
    select
        control_totals.source_instance,
        'daily_totals_tie' as check_name,
        sum(abs(control_totals.control_quantity)) as checked_quantity,
        sum(abs(control_totals.difference_quantity)) as wrong_quantity
    from control_totals
    inner join sources
        on control_totals.source_instance = sources.source_instance
    cross join current_pass
    where
        control_totals.totalled_on < cast(current_pass.as_of as date) - 2
        and control_totals.totalled_on >= cast(current_pass.as_of as date) - 9
        and (control_totals.scope = 'all' or control_totals.metered_ever > 0)
    group by control_totals.source_instance
),

tolerated as (
    select
        *,
        case check_name
            {%- for name, tolerated_ratio in tolerated_ratios.items() %}
            when '{{ name }}' then checked_quantity * {{ tolerated_ratio }}
            {%- endfor %}
        end as tolerated_quantity
    from checked
)

select
    source_instance,
    check_name,
    {{ money('checked_quantity') }} as checked_quantity,
    {{ money('wrong_quantity') }} as wrong_quantity,
    {{ money('tolerated_quantity') }} as tolerated_quantity,
    wrong_quantity > tolerated_quantity as is_red
from tolerated
