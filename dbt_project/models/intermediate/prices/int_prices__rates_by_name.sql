-- one row per raw (provider, model name, region) seen, service tier, size band, band of the week and range of time:
-- the rates of a name
{{ config(materialized='table') }}

with lookup as (
    select * from {{ ref('int_prices__region_lookup') }}
),

prices as (
    select * from {{ ref('price_resolved') }}
),

-- When a version prices: its own time, but for windows that were repriced.
versions as (
    select
        prices.price_key,
        prices.price_version_key,
        ranges.valid_from_at,
        ranges.valid_to_at
    from prices
    inner join {{ ref('int_prices__valid_ranges') }} as ranges
        on prices.price_version_key = ranges.price_version_key
    group by prices.price_key, prices.price_version_key, ranges.valid_from_at, ranges.valid_to_at
),

followed as (
    select
        *,
        lead(valid_from_at) over (partition by price_key order by valid_from_at) as next_from_at
    from versions
),

-- A model that its files no longer list has no rates then, but is still that model.
applying as (
    select price_key, price_version_key, valid_from_at, valid_to_at
    from versions
    union all
    select
        price_key,
        cast(null as {{ dbt.type_string() }}) as price_version_key,
        valid_to_at as valid_from_at,
        next_from_at as valid_to_at
    from followed
    where valid_to_at is not null
        and (next_from_at is null or valid_to_at < next_from_at)
),

region_factors as (
    select * from {{ ref('int_prices__region_factors') }}
),

names_numbered as (
    select * from {{ ref('int_prices__names_numbered') }}
),

estimate_rates as (
    select * from {{ ref('int_prices__estimate_rates') }}
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
        lookup.region,
        service_tiers.service_tier,
        coalesce(prices.band_lo, -1) as band_lo,
        coalesce(prices.band_hi, 9223372036854775807) as band_hi,
        cast(coalesce(prices.week_minute_from, 0) as integer) as week_minute_from,
        cast(coalesce(prices.week_minute_to, 10080) as integer) as week_minute_to,
        greatest(
            lookup.valid_from_at, coalesce(applying.valid_from_at, lookup.valid_from_at)
        ) as valid_from_at,
        least(
            coalesce(lookup.valid_to_at, timestamp '9999-12-31 00:00:00'),
            coalesce(applying.valid_to_at, timestamp '9999-12-31 00:00:00')
        ) as valid_to_at,

        applying.price_key,
        prices.price_version_key,
        prices.observed_at as price_observed_at,
        lookup.matched_by,
        lookup.confidence as match_confidence,
        lookup.region_extract,
        lookup.canonical_provider,
        region_factors.region_factor_ratio,
        {% for line in resolved_lines() %}
        case
            when region_factors.region_factor_ratio is null then prices.r_{{ line }}
            else cast(prices.r_{{ line }} * region_factors.region_factor_ratio as decimal(18, 15))
        end as r_{{ line }},
        coalesce(prices.src_{{ line }} = 'fallback', false) as is_fallback_{{ line }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from lookup
    cross join service_tiers
    left join applying
        on lookup.price_key = applying.price_key
        and (lookup.valid_to_at is null or applying.valid_from_at < lookup.valid_to_at)
        and (applying.valid_to_at is null or lookup.valid_from_at < applying.valid_to_at)
    left join prices
        on applying.price_version_key = prices.price_version_key
        and service_tiers.service_tier = prices.service_tier
    left join region_factors
        on lookup.provider = region_factors.provider
        and lookup.model_name = region_factors.model_name
        and lookup.region = region_factors.region
        and lookup.valid_from_at = region_factors.valid_from_at
        and prices.price_version_key = region_factors.price_version_key
)

select
    matched.*,
    names_numbered.name_number,
    {{ kinds_mask('matched.r_{kind} is null') }} as missing_mask,
    {{ kinds_mask('matched.is_fallback_{kind}') }} as fallback_mask,
    coalesce(
        of_provider.estimate_input_usd_per_unit, of_any.estimate_input_usd_per_unit
    ) as estimate_input_usd_per_unit,
    coalesce(
        of_provider.estimate_output_usd_per_unit, of_any.estimate_output_usd_per_unit
    ) as estimate_output_usd_per_unit
from matched
inner join names_numbered
    on matched.provider = names_numbered.provider
    and matched.model_name = names_numbered.model_name
    and matched.service_tier = names_numbered.service_tier
left join estimate_rates as of_provider
    on matched.canonical_provider = of_provider.provider
left join estimate_rates as of_any
    on of_any.provider = '*'
