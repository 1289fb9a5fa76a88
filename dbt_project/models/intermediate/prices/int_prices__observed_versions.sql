-- one row per model and unbroken time in which we took all its rates for the same

with runs as (
    select * from {{ ref('int_prices__rate_runs') }}
),

files as (
    select * from {{ ref('int_prices__files') }}
),

files_at as (
    select
        catalogue,
        observed_at,
        max(snapshot_id) as snapshot_id
    from files
    group by catalogue, observed_at
),

boundaries as (
    select catalogue, price_key, observed_at from runs
    union
    select catalogue, price_key, superseded_at as observed_at
    from runs
    where superseded_at is not null
),

segments as (
    select
        catalogue,
        price_key,
        observed_at,
        lead(observed_at) over (
            partition by catalogue, price_key order by observed_at
        ) as next_observed_at
    from boundaries
),

-- A model that three files in a row lack has no price from then on.
listed as (
    select
        segments.catalogue,
        segments.price_key,
        listings.provider,
        listings.model_name,
        segments.observed_at,
        segments.next_observed_at,
        row_number() over (
            partition by segments.price_key order by segments.observed_at
        ) as version_number
    from segments
    inner join runs as listings
        on segments.catalogue = listings.catalogue
        and segments.price_key = listings.price_key
        and listings.rate_key = 'listing'
        and segments.observed_at >= listings.observed_at
        and (listings.superseded_at is null or segments.observed_at < listings.superseded_at)
),

-- What ended with the version before: a rate that changed or was taken away. A rate only added changes no other.
changes as (
    select
        catalogue,
        price_key,
        superseded_at as observed_at,
        count(*) as rates_ended_count
    from runs
    where superseded_at is not null
        and rate_key <> 'listing'
    group by catalogue, price_key, superseded_at
)

select
    listed.catalogue,
    listed.price_key,
    listed.provider,
    listed.model_name,
    files_at.snapshot_id,
    listed.version_number as observed_number,
    coalesce(changes.rates_ended_count, 0) as rates_ended_count,
    listed.observed_at,
    listed.next_observed_at
from listed
inner join files_at
    on listed.catalogue = files_at.catalogue
    and listed.observed_at = files_at.observed_at
left join changes
    on listed.catalogue = changes.catalogue
    and listed.price_key = changes.price_key
    and listed.observed_at = changes.observed_at
