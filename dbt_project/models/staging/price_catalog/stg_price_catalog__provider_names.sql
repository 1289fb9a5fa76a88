-- one row per accepted spelling of a provider
with source as (
    select * from {{ source('raw_price_catalog', 'provider_names') }}
),

completed_loads as (
    select load_id from {{ source('raw_price_catalog', '_dlt_loads') }}
    where status = 0
),

-- the newest snapshot wins
ranked as (
    select
        source.provider_raw,
        source.provider,
        row_number() over (
            partition by source.provider_raw
            order by source.observed_at desc, source._dlt_load_id desc
        ) as newest_rank
    from source
    inner join completed_loads
        on source._dlt_load_id = completed_loads.load_id
)

select
    provider_raw,
    provider
from ranked
where newest_rank = 1
