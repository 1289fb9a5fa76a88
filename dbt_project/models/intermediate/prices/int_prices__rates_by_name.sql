-- one row per raw (provider, model name, region) seen, service tier, size band, band of the week and range of time:
-- what an event joins to
{{ config(materialized='table') }}

with lookup as (
    select * from {{ ref('int_prices__model_lookup') }}
),

prices as (
    select * from {{ ref('price_resolved') }}
),

estimate_rates as (
    select * from {{ ref('int_prices__estimate_rates') }}
),

models_seen as (
    select * from {{ ref('int_usage__models_seen') }}
),

-- The same name may cost another rate in another region: each that was seen has rows of its own.
regions_seen as (
    select
        coalesce(provider, '') as provider,
        coalesce(model_served, model_requested, '') as model_name,
        coalesce(region, '') as region
    from models_seen
    group by
        coalesce(provider, ''),
        coalesce(model_served, model_requested, ''),
        coalesce(region, '')
),

service_tiers as (
    select service_tier
    from prices
    group by service_tier
),

-- A name that means no model has a row too, without a price: it carries the estimate. Ends are never null here,
-- so that an event's join is plain comparisons.
matched as (
    select
        lookup.provider,
        lookup.model_name,
        regions_seen.region,
        service_tiers.service_tier,
        coalesce(prices.band_lo, -1) as band_lo,
        coalesce(prices.band_hi, 9223372036854775807) as band_hi,
        cast(0 as integer) as week_minute_from,
        cast(10080 as integer) as week_minute_to,
        greatest(
            lookup.valid_from_at, coalesce(prices.valid_from_at, lookup.valid_from_at)
        ) as valid_from_at,
        least(
            coalesce(lookup.valid_to_at, timestamp '9999-12-31 00:00:00'),
            coalesce(prices.valid_to_at, timestamp '9999-12-31 00:00:00')
        ) as valid_to_at,

        prices.price_key,
        prices.price_version_key,
        prices.observed_at as price_observed_at,
        lookup.matched_by,
        lookup.region_extract,
        lookup.canonical_provider,

        prices.r_input,
        prices.r_cache_read,
        prices.r_cache_write_5m,
        prices.r_cache_write_30m,
        prices.r_cache_write_1h,
        prices.r_cache_write_12h,
        prices.r_output,
        prices.r_reasoning,
        prices.r_audio_input,
        prices.r_audio_output,
        prices.r_image_input,
        prices.r_image_output,
        cast(null as decimal(18, 15)) as r_request,

        coalesce(prices.src_input = 'fallback', false) as is_fallback_input,
        coalesce(prices.src_cache_read = 'fallback', false) as is_fallback_cache_read,
        coalesce(prices.src_cache_write_5m = 'fallback', false) as is_fallback_cache_write_5m,
        coalesce(prices.src_cache_write_30m = 'fallback', false) as is_fallback_cache_write_30m,
        coalesce(prices.src_cache_write_1h = 'fallback', false) as is_fallback_cache_write_1h,
        coalesce(prices.src_cache_write_12h = 'fallback', false) as is_fallback_cache_write_12h,
        coalesce(prices.src_output = 'fallback', false) as is_fallback_output,
        coalesce(prices.src_reasoning = 'fallback', false) as is_fallback_reasoning,
        coalesce(prices.src_audio_input = 'fallback', false) as is_fallback_audio_input,
        coalesce(prices.src_audio_output = 'fallback', false) as is_fallback_audio_output,
        coalesce(prices.src_image_input = 'fallback', false) as is_fallback_image_input,
        coalesce(prices.src_image_output = 'fallback', false) as is_fallback_image_output
    from lookup
    inner join regions_seen
        on lookup.provider = regions_seen.provider
        and lookup.model_name = regions_seen.model_name
    cross join service_tiers
    left join prices
        on lookup.price_key = prices.price_key
        and service_tiers.service_tier = prices.service_tier
        and (lookup.valid_to_at is null or prices.valid_from_at < lookup.valid_to_at)
        and (prices.valid_to_at is null or lookup.valid_from_at < prices.valid_to_at)
)

select
    matched.*,
    coalesce(
        of_provider.estimate_input_usd_per_unit, of_any.estimate_input_usd_per_unit
    ) as estimate_input_usd_per_unit,
    coalesce(
        of_provider.estimate_output_usd_per_unit, of_any.estimate_output_usd_per_unit
    ) as estimate_output_usd_per_unit
from matched
left join estimate_rates as of_provider
    on matched.canonical_provider = of_provider.provider
left join estimate_rates as of_any
    on of_any.provider = '*'
