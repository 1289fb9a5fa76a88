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

own_changes as (
    select catalogue, price_key, observed_at from runs
    union
    select catalogue, price_key, superseded_at as observed_at
    from runs
    where superseded_at is not null
),

instants as (
    select price_key, observed_at
    from own_changes
    group by price_key, observed_at
),

-- A model that three files in a row lack has no price from then on.
listed_at as (
    select
        instants.price_key,
        instants.observed_at,
        runs.catalogue,
        max(case when runs.rate_key = 'listing' then runs.provider end) as provider,
        max(case when runs.rate_key = 'listing' then runs.model_name end) as model_name,
        max(case when runs.rate_key = 'listing' then runs.load_id end) as listing_load_id,
        max(case when runs.rate_key = 'listing' then 0 else 1 end) as has_rates
    from instants
    inner join runs
        on instants.price_key = runs.price_key
        and instants.observed_at >= runs.observed_at
        and (runs.superseded_at is null or instants.observed_at < runs.superseded_at)
    group by instants.price_key, instants.observed_at, runs.catalogue
),

-- The base catalogue goes first where it has a rate in force; one that is held back, or none, ends no gap filler's.
ranked as (
    select
        *,
        row_number() over (
            partition by price_key, observed_at
            order by has_rates desc, case when catalogue = '{{ base_catalogue() }}' then 0 else 1 end, catalogue
        ) as preference
    from listed_at
    where listing_load_id is not null
),

followed as (
    select
        instants.price_key,
        instants.observed_at,
        ranked.catalogue,
        ranked.provider,
        ranked.model_name,
        ranked.listing_load_id,
        case
            when own_changes.price_key is null
                and lag(ranked.catalogue) over (
                    partition by instants.price_key order by instants.observed_at
                ) is not distinct from ranked.catalogue
                then 0
            else 1
        end as is_begin
    from instants
    left join ranked
        on instants.price_key = ranked.price_key
        and instants.observed_at = ranked.observed_at
        and ranked.preference = 1
    left join own_changes
        on instants.price_key = own_changes.price_key
        and instants.observed_at = own_changes.observed_at
        and ranked.catalogue = own_changes.catalogue
),

segments as (
    select
        *,
        lead(observed_at) over (partition by price_key order by observed_at) as next_observed_at
    from followed
    where is_begin = 1
),

listed as (
    select
        *,
        row_number() over (partition by price_key order by observed_at) as version_number,
        lag(catalogue) over (partition by price_key order by observed_at) as previous_catalogue
    from segments
    where catalogue is not null
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
