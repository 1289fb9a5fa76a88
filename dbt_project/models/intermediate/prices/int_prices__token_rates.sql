-- one row per price version and stated rate that a request is priced at, with the size and the hours where it begins
with versions as (
    select * from {{ ref('int_prices__versions') }}
),

rates as (
    select * from {{ ref('int_prices__version_rates') }}
)

-- A band is (band_lo, band_hi]. The first lo is -1, because a request may have no input at all. xAI's higher
-- tier starts at the threshold itself, so its lo is one less and one comparison serves all. Perplexity's fee is that of
-- a search of the smallest size, its default.
select
    versions.price_version_key,
    rates.meter,
    rates.service_tier,
    rates.rate_usd_per_unit,
    rates.week_minute_from,
    rates.week_minute_to,
    coalesce(
        case
            when versions.provider = 'xai' then rates.min_input_tokens - 1
            else rates.min_input_tokens
        end,
        -1
    ) as band_lo
from versions
inner join rates
    on versions.price_version_key = rates.price_version_key
where
    rates.unit = 'token'
    or rates.meter = 'request'
    or (rates.meter = 'search' and rates.variant = 'low' and versions.provider = 'perplexity')
