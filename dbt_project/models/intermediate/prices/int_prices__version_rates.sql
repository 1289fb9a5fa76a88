-- one row per price version and rate in force in it, under its condition
with versions as (
    select * from {{ ref('int_prices__versions') }}
),

runs as (
    select * from {{ ref('int_prices__rate_runs') }}
),

rates as (
    select * from {{ ref('stg_price_catalog__rates') }}
),

history as (
    select * from {{ ref('int_prices__history') }}
    where is_taken
),

remembered as (
    select
        versions.price_version_key,
        history.*
    from versions
    inner join history
        on versions.price_key = history.price_key
        and versions.valid_from_at = history.valid_from_at
    where versions.known_by = 'second_source'
),

-- Of a meter whose past rate is remembered the standard rates of today do not hold then; sizes that were lost are added.
replaced as (
    select price_version_key, meter
    from remembered
    where not is_last
    group by price_version_key, meter
)

select
    versions.price_version_key,
    rates.load_id,
    rates.provider,
    rates.model_name,
    rates.catalogue_key,
    rates.rate_key,
    rates.meter,
    rates.unit,
    rates.service_tier,
    rates.min_input_tokens,
    rates.variant,
    rates.week_minute_from,
    rates.week_minute_to,
    rates.rate_usd_per_unit
from versions
inner join runs
    on versions.catalogue = runs.catalogue
    and versions.price_key = runs.price_key
    and versions.rates_at >= runs.observed_at
    and (runs.superseded_at is null or versions.rates_at < runs.superseded_at)
inner join rates
    on runs.load_id = rates.load_id
    and runs.rate_key = rates.rate_key
left join replaced
    on versions.price_version_key = replaced.price_version_key
    and rates.meter = replaced.meter
    and rates.service_tier = 'standard'
    and rates.variant = ''
    and rates.week_minute_from is null
where replaced.meter is null
union all
select
    price_version_key,
    load_id,
    provider,
    model_name,
    model_name as catalogue_key,
    concat('remembered ', meter, ' ', coalesce(min_input_tokens, 0)) as rate_key,
    meter,
    'token' as unit,
    'standard' as service_tier,
    min_input_tokens,
    '' as variant,
    cast(null as bigint) as week_minute_from,
    cast(null as bigint) as week_minute_to,
    rate_usd_per_unit
from remembered
