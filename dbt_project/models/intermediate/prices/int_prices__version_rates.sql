-- one row per price version and rate in force in it, under its condition
with versions as (
    select * from {{ ref('int_prices__versions') }}
),

runs as (
    select * from {{ ref('int_prices__rate_runs') }}
),

rates as (
    select * from {{ ref('stg_price_catalog__rates') }}
)

select
    versions.price_version_key,
    rates.*
from versions
inner join runs
    on versions.catalogue = runs.catalogue
    and versions.price_key = runs.price_key
    and versions.observed_at >= runs.observed_at
    and (runs.superseded_at is null or versions.observed_at < runs.superseded_at)
inner join rates
    on runs.load_id = rates.load_id
    and runs.rate_key = rates.rate_key
