-- one row per completed load, with the pass that took it up; append-only
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}
with completed as (
    {% for system in systems() %}
    select
        '{{ system }}' as source,
        load_id
    from {{ source('raw_' ~ system, '_dlt_loads') }}
    where status = 0
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
)

select
    completed.source,
    completed.load_id,
    current_pass.pass_id
from completed
cross join current_pass
{% if is_incremental() %}
left join {{ this }} as taken_up
    on completed.source = taken_up.source
    and completed.load_id = taken_up.load_id
where taken_up.load_id is null
{% endif %}
