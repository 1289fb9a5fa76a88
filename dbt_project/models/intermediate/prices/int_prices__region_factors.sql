-- one row per raw (provider, model name, region) seen in usage, range of time and price version that costs more there
with lookup as (
    select * from {{ ref('int_prices__region_lookup') }}
),

versions as (
    select * from {{ ref('int_prices__versions') }}
),

rates as (
    select * from {{ ref('int_prices__version_rates') }}
),

uplifts as (
    select
        versions.price_key,
        versions.price_version_key,
        rates.variant as applies_where,
        rates.rate_usd_per_unit as factor_ratio
    from versions
    inner join rates
        on versions.price_version_key = rates.price_version_key
    where rates.meter = 'uplift'
)

-- An act that names no region is at the global price, but for what no name without `global.` can be.
select
    lookup.provider,
    lookup.model_name,
    lookup.region,
    lookup.valid_from_at,
    uplifts.price_version_key,
    cast(max(uplifts.factor_ratio) as decimal(9, 6)) as region_factor_ratio
from lookup
inner join uplifts
    on lookup.price_key = uplifts.price_key
where
    uplifts.applies_where = lower(lookup.region)
    or (uplifts.applies_where = 'regional' and lower(lookup.region) not in ('', 'global'))
    or (uplifts.applies_where = 'not_global' and coalesce(lookup.region_extract, '') <> 'global')
group by
    lookup.provider,
    lookup.model_name,
    lookup.region,
    lookup.valid_from_at,
    uplifts.price_version_key
