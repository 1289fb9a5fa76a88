-- one row: the configuration in force, which is the newest load that dlt completed
with source as (
    select * from {{ source('raw_config', 'versions') }}
),

loads as (
    select * from {{ source('raw_config', '_dlt_loads') }}
),

completed as (
    select
        source._dlt_load_id as load_id,
        source.config_version,
        source.attribution_version,
        source.pricing_version,
        {{ utc('source.extracted_at') }} as extracted_at,
        -- A load id is the time it began; the newest comes first.
        row_number() over (order by source._dlt_load_id desc) as load_rank
    from source
    inner join loads
        on source._dlt_load_id = loads.load_id and loads.status = 0
)

select
    load_id,
    config_version,
    attribution_version,
    pricing_version,
    extracted_at
from completed
where load_rank = 1
