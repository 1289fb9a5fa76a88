-- one row per price version, service tier and size band (band_lo, band_hi]; every fallback is applied
{{ config(materialized='table') }}

with stated as (
    select * from {{ ref('int_prices__stated') }}
),

versions as (
    select * from {{ ref('int_prices__versions') }}
),

-- A standard reasoning rate does not apply to a tier that states its own output rate.
with_own_reasoning as (
    select
        *,
        case
            when
                service_tier = 'standard' or has_tier_reasoning = 1 or has_tier_output = 0
                then stated_reasoning
        end as own_reasoning
    from stated
),

-- The base write rate is what every lifetime without a rate of its own costs; no cache rate at all costs input.
rated as (
    select
        *,
        stated_input as r_input,
        coalesce(stated_cache_read, stated_input) as r_cache_read,
        coalesce(stated_cache_write, stated_input) as r_cache_write_5m,
        coalesce(stated_cache_write, stated_input) as r_cache_write_30m,
        coalesce(stated_cache_write_1h, stated_cache_write, stated_input)
            as r_cache_write_1h,
        coalesce(stated_cache_write_12h, stated_cache_write, stated_input)
            as r_cache_write_12h,
        stated_output as r_output,
        coalesce(own_reasoning, stated_output) as r_reasoning,
        stated_audio_input as r_audio_input,
        stated_audio_output as r_audio_output,
        stated_image_input as r_image_input,
        stated_image_output as r_image_output,
        case when own_reasoning is null then 0 else is_explicit_reasoning end
            as is_explicit_own_reasoning
    from with_own_reasoning
)

select
    versions.price_key,
    versions.price_version_key,
    versions.provider,
    versions.model_name,
    rated.service_tier,
    rated.band_lo,
    rated.band_hi,
    versions.change_kind,
    versions.snapshot_id,

    rated.r_input,
    rated.r_cache_read,
    rated.r_cache_write_5m,
    rated.r_cache_write_30m,
    rated.r_cache_write_1h,
    rated.r_cache_write_12h,
    rated.r_output,
    rated.r_reasoning,
    rated.r_audio_input,
    rated.r_audio_output,
    rated.r_image_input,
    rated.r_image_output,

    case
        when rated.is_explicit_input = 1 then 'explicit'
        when rated.r_input is not null then 'fallback'
    end as src_input,
    case
        when rated.is_explicit_cache_read = 1 then 'explicit'
        when rated.r_cache_read is not null then 'fallback'
    end as src_cache_read,
    case
        when rated.is_explicit_cache_write = 1 then 'explicit'
        when rated.r_cache_write_5m is not null then 'fallback'
    end as src_cache_write_5m,
    case
        when rated.is_explicit_cache_write = 1 then 'explicit'
        when rated.r_cache_write_30m is not null then 'fallback'
    end as src_cache_write_30m,
    case
        when rated.is_explicit_cache_write_1h = 1 then 'explicit'
        when rated.r_cache_write_1h is not null then 'fallback'
    end as src_cache_write_1h,
    case
        when rated.is_explicit_cache_write_12h = 1 then 'explicit'
        when rated.r_cache_write_12h is not null then 'fallback'
    end as src_cache_write_12h,
    case
        when rated.is_explicit_output = 1 then 'explicit'
        when rated.r_output is not null then 'fallback'
    end as src_output,
    case
        when rated.is_explicit_own_reasoning = 1 then 'explicit'
        when rated.r_reasoning is not null then 'fallback'
    end as src_reasoning,
    case
        when rated.is_explicit_audio_input = 1 then 'explicit'
        when rated.r_audio_input is not null then 'fallback'
    end as src_audio_input,
    case
        when rated.is_explicit_audio_output = 1 then 'explicit'
        when rated.r_audio_output is not null then 'fallback'
    end as src_audio_output,
    case
        when rated.is_explicit_image_input = 1 then 'explicit'
        when rated.r_image_input is not null then 'fallback'
    end as src_image_input,
    case
        when rated.is_explicit_image_output = 1 then 'explicit'
        when rated.r_image_output is not null then 'fallback'
    end as src_image_output,

    versions.valid_from_at,
    versions.valid_to_at,
    versions.observed_at
from rated
inner join versions
    on rated.price_version_key = versions.price_version_key
