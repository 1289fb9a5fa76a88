-- one row per accepted spelling of a provider
with source as (
    select * from {{ raw_rows('price_catalog', 'provider_names') }}
),

-- the newest snapshot wins
ranked as (
    select
        source.provider_raw,
        source.provider,
        row_number() over (
            partition by source.provider_raw
            order by source.observed_at desc, source.load_id desc
        ) as newest_rank
    from source
)

select
    provider_raw,
    provider
from ranked
where newest_rank = 1
