-- one row per price version, service tier and size band: the most specific stated rate of each meter
{{ config(materialized='table') }}

with versions as (
    select * from {{ ref('int_prices__versions') }}
),

rates as (
    select * from {{ ref('stg_price_catalog__rates') }}
),

service_tiers as (
    select 'standard' as service_tier
    union all
    select 'flex' as service_tier
    union all
    select 'priority' as service_tier
    union all
    select 'batch' as service_tier
),

-- A band is (band_lo, band_hi]. The first lo is -1, because a request may have no input at all. xAI's higher
-- tier starts at the threshold itself, so its lo is one less and one comparison serves all.
version_rates as (
    select
        versions.price_version_key,
        rates.meter,
        rates.service_tier,
        rates.rate_usd_per_unit,
        coalesce(
            case
                when versions.provider = 'xai' then rates.min_input_tokens - 1
                else rates.min_input_tokens
            end,
            -1
        ) as band_lo
    from versions
    inner join rates
        on versions.load_id = rates.load_id
        and versions.provider = rates.provider
        and versions.model_name = rates.model_name
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

-- Rank 1 wins: the greatest threshold passed, then the tier's own rate before the standard one. Batch is a path
-- of its own: any batch rate before a standard one.
candidates as (
    select
        bands.price_version_key,
        bands.band_lo,
        bands.band_hi,
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
                end
        ) as specificity_rank
    from bands
    cross join service_tiers
    left join version_rates
        on bands.price_version_key = version_rates.price_version_key
        and version_rates.band_lo <= bands.band_lo
        and version_rates.service_tier in (service_tiers.service_tier, 'standard')
),

best as (
    select
        *,
        case when specificity_rank = 1 then meter end as won,
        case when is_explicit then 1 else 0 end as explicit
    from candidates
)

select
    price_version_key,
    service_tier,
    band_lo,
    band_hi,

    max(case when won = 'input' then rate_usd_per_unit end) as stated_input,
    max(case when won = 'cache_read' then rate_usd_per_unit end) as stated_cache_read,
    max(case when won = 'cache_write' then rate_usd_per_unit end) as stated_cache_write,
    max(case when won = 'cache_write_1h' then rate_usd_per_unit end) as stated_cache_write_1h,
    max(case when won = 'cache_write_12h' then rate_usd_per_unit end) as stated_cache_write_12h,
    max(case when won = 'output' then rate_usd_per_unit end) as stated_output,
    max(case when won = 'reasoning' then rate_usd_per_unit end) as stated_reasoning,
    max(case when won = 'audio_input' then rate_usd_per_unit end) as stated_audio_input,
    max(case when won = 'audio_output' then rate_usd_per_unit end) as stated_audio_output,
    max(case when won = 'image_input' then rate_usd_per_unit end) as stated_image_input,
    max(case when won = 'image_output' then rate_usd_per_unit end) as stated_image_output,

    max(case when won = 'input' then explicit else 0 end) as is_explicit_input,
    max(case when won = 'cache_read' then explicit else 0 end) as is_explicit_cache_read,
    max(case when won = 'cache_write' then explicit else 0 end) as is_explicit_cache_write,
    max(case when won = 'cache_write_1h' then explicit else 0 end) as is_explicit_cache_write_1h,
    max(case when won = 'cache_write_12h' then explicit else 0 end) as is_explicit_cache_write_12h,
    max(case when won = 'output' then explicit else 0 end) as is_explicit_output,
    max(case when won = 'reasoning' then explicit else 0 end) as is_explicit_reasoning,
    max(case when won = 'audio_input' then explicit else 0 end) as is_explicit_audio_input,
    max(case when won = 'audio_output' then explicit else 0 end) as is_explicit_audio_output,
    max(case when won = 'image_input' then explicit else 0 end) as is_explicit_image_input,
    max(case when won = 'image_output' then explicit else 0 end) as is_explicit_image_output,

    max(case when meter = 'output' and is_of_tier then 1 else 0 end) as has_tier_output,
    max(case when meter = 'reasoning' and is_of_tier then 1 else 0 end)
        as has_tier_reasoning
from best
group by price_version_key, service_tier, band_lo, band_hi
