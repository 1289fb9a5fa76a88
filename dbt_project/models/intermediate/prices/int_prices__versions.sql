-- one row per model and range of time in which all its rates were the same: as observed, and as a second source remembers
{{ config(materialized='table') }}

with observed as (
    select * from {{ ref('int_prices__observed_versions') }}
),

history as (
    select * from {{ ref('int_prices__history') }}
),

-- What a second source remembers of the time before the first observation.
remembered as (
    select
        catalogue,
        price_key,
        provider,
        model_name,
        max(snapshot_id) as snapshot_id,
        max(case when is_taken then 1 else 0 end) as has_rates,
        max(case when is_last then 1 else 0 end) as is_last,
        valid_from_at,
        valid_to_at,
        first_observed_at,
        max(observed_at) as observed_at
    from history
    group by
        catalogue, price_key, provider, model_name, valid_from_at, valid_to_at, first_observed_at
),

-- Where the last remembered period says what the catalogue says, the catalogue's first version began with it.
begins as (
    select
        price_key,
        max(case when has_rates = 1 then valid_to_at else valid_from_at end) as begins_at
    from remembered
    where is_last = 1
    group by price_key
),

timed as (
    select
        observed.catalogue,
        observed.price_key,
        observed.provider,
        observed.model_name,
        observed.snapshot_id,
        'observed' as known_by,
        observed.rates_ended_count,
        -- What was valid before the first observation is else not known: its rates are used, and flagged on each event.
        case
            when observed.observed_number = 1
                then coalesce(begins.begins_at, timestamp '1970-01-01 00:00:00')
            else observed.observed_at
        end as valid_from_at,
        observed.next_observed_at as valid_to_at,
        observed.observed_at,
        observed.observed_at as rates_at
    from observed
    left join begins
        on observed.price_key = begins.price_key
    union all
    select
        catalogue,
        price_key,
        provider,
        model_name,
        snapshot_id,
        'second_source' as known_by,
        1 as rates_ended_count,
        valid_from_at,
        valid_to_at,
        observed_at,
        first_observed_at as rates_at
    from remembered
    where has_rates = 1
),

numbered as (
    select
        *,
        row_number() over (partition by price_key order by valid_from_at) as version_number
    from timed
)

select
    {{ hash_key(['price_key', 'valid_from_at', 'observed_at', 'snapshot_id']) }} as price_version_key,
    price_key,
    provider,
    model_name,
    catalogue,
    snapshot_id,
    version_number,
    known_by,
    case
        when version_number = 1 or (rates_ended_count = 0 and known_by = 'observed' and valid_from_at = observed_at)
            then 'addition'
        else 'price_change'
    end as change_kind,
    valid_from_at,
    valid_to_at,
    observed_at,
    rates_at
from numbered
