-- one row per model and unbroken time in which we took all its rates for the same, from the catalogue that counts then

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

-- The base catalogue goes first: a gap filler counts for a model only while the base does not list it.
listed_by_base as (
    select price_key, observed_at, superseded_at
    from runs
    where rate_key = 'listing'
        and catalogue = '{{ base_catalogue() }}'
),

base_changes as (
    select price_key, observed_at from listed_by_base
    union
    select price_key, superseded_at as observed_at
    from listed_by_base
    where superseded_at is not null
),

boundaries as (
    select catalogue, price_key, observed_at from runs
    union
    select catalogue, price_key, superseded_at as observed_at
    from runs
    where superseded_at is not null
    union
    select runs.catalogue, base_changes.price_key, base_changes.observed_at
    from base_changes
    inner join runs
        on base_changes.price_key = runs.price_key
    where runs.rate_key = 'listing'
        and runs.catalogue <> '{{ base_catalogue() }}'
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
        listings.load_id as listing_load_id,
        segments.observed_at,
        segments.next_observed_at,
        row_number() over (
            partition by segments.price_key order by segments.observed_at
        ) as version_number,
        lag(segments.catalogue) over (
            partition by segments.price_key order by segments.observed_at
        ) as previous_catalogue
    from segments
    inner join runs as listings
        on segments.catalogue = listings.catalogue
        and segments.price_key = listings.price_key
        and listings.rate_key = 'listing'
        and segments.observed_at >= listings.observed_at
        and (listings.superseded_at is null or segments.observed_at < listings.superseded_at)
    left join listed_by_base
        on segments.price_key = listed_by_base.price_key
        and segments.observed_at >= listed_by_base.observed_at
        and (listed_by_base.superseded_at is null or segments.observed_at < listed_by_base.superseded_at)
        and segments.catalogue <> '{{ base_catalogue() }}'
    where listed_by_base.price_key is null
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
    -- A gap filler may take over again at an instant at which only the base had a new file.
    coalesce(files_at.snapshot_id, listing_files.snapshot_id) as snapshot_id,
    listed.version_number as observed_number,
    -- Where another catalogue takes over, the rates of the one before end.
    case
        when listed.previous_catalogue <> listed.catalogue then 1
        else coalesce(changes.rates_ended_count, 0)
    end as rates_ended_count,
    listed.observed_at,
    listed.next_observed_at
from listed
inner join files as listing_files
    on listed.listing_load_id = listing_files.load_id
left join files_at
    on listed.catalogue = files_at.catalogue
    and listed.observed_at = files_at.observed_at
left join changes
    on listed.catalogue = changes.catalogue
    and listed.price_key = changes.price_key
    and listed.observed_at = changes.observed_at
