-- one row per price version, service tier, size band and band of the week: the most specific stated rate of each meter
{{ config(materialized='table') }}

with versions as (
    select * from {{ ref('int_prices__versions') }}
),

version_rates as (
    select * from {{ ref('int_prices__token_rates') }}
),

service_tiers as (
    select 'standard' as service_tier
    union
    select 'flex' as service_tier
    union
    select 'priority' as service_tier
    union
    select 'batch' as service_tier
    union
    select service_tier from version_rates
),

lower_bounds as (
    select price_version_key, band_lo from version_rates
    union
    select price_version_key, cast(-1 as bigint) as band_lo from versions
),

bands as (
    select
        price_version_key,
        band_lo,
        coalesce(
            lead(band_lo) over (partition by price_version_key order by band_lo),
            9223372036854775807
        ) as band_hi
    from lower_bounds
),

-- Cheaper hours divide the week; without any it is one band.
minutes as (
    select price_version_key, cast(0 as bigint) as week_minute_from from versions
    union
    select price_version_key, week_minute_from
    from version_rates
    where week_minute_from is not null
    union
    select price_version_key, week_minute_to as week_minute_from
    from version_rates
    where week_minute_to < 10080
),

week_bands as (
    select
        price_version_key,
        week_minute_from,
        coalesce(
            lead(week_minute_from) over (
                partition by price_version_key order by week_minute_from
            ),
            10080
        ) as week_minute_to
    from minutes
),

-- Rank 1 wins: the greatest threshold passed, then the tier's own rate before the standard one, then that of the hour.
-- Batch is a path of its own: any batch rate before a standard one.
candidates as (
    select
        bands.price_version_key,
        bands.band_lo,
        bands.band_hi,
        week_bands.week_minute_from,
        week_bands.week_minute_to,
        service_tiers.service_tier,
        version_rates.meter,
        version_rates.rate_usd_per_unit,
        version_rates.service_tier = service_tiers.service_tier as is_of_tier,
        version_rates.service_tier = service_tiers.service_tier
        and version_rates.band_lo = bands.band_lo as is_explicit,
        row_number() over (
            partition by
                bands.price_version_key,
                bands.band_lo,
                week_bands.week_minute_from,
                service_tiers.service_tier,
                version_rates.meter
            order by
                case
                    when service_tiers.service_tier <> 'batch' then 0
                    when version_rates.service_tier = 'batch' then 0
                    else 1
                end,
                version_rates.band_lo desc,
                case
                    when version_rates.service_tier = service_tiers.service_tier then 0
                    else 1
                end,
                case when version_rates.week_minute_from is null then 1 else 0 end
        ) as specificity_rank
    from bands
    inner join week_bands
        on bands.price_version_key = week_bands.price_version_key
    cross join service_tiers
    left join version_rates
        on bands.price_version_key = version_rates.price_version_key
        and version_rates.band_lo <= bands.band_lo
        and version_rates.service_tier in (service_tiers.service_tier, 'standard')
        and coalesce(version_rates.week_minute_from, 0) <= week_bands.week_minute_from
        and coalesce(version_rates.week_minute_to, 10080) >= week_bands.week_minute_to
)

select
    price_version_key,
    service_tier,
    band_lo,
    band_hi,
    week_minute_from,
    week_minute_to,
    {% for meter in stated_meters() -%}
    max(case when specificity_rank = 1 and meter = '{{ meter }}' then rate_usd_per_unit end) as stated_{{ meter }},
    max(case when specificity_rank = 1 and meter = '{{ meter }}' and is_explicit then 1 else 0 end)
        as is_explicit_{{ meter }},
    {% endfor -%}
    max(case when meter = 'output' and is_of_tier then 1 else 0 end) as has_tier_output,
    max(case when meter = 'reasoning' and is_of_tier then 1 else 0 end) as has_tier_reasoning
from candidates
group by price_version_key, service_tier, band_lo, band_hi, week_minute_from, week_minute_to
