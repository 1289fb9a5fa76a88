-- one row per price version, service tier, size band (band_lo, band_hi] and band of the week; every fallback is applied
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
        stated.*,
        versions.price_key,
        versions.provider,
        versions.model_name,
        versions.change_kind,
        versions.snapshot_id,
        versions.valid_from_at,
        versions.valid_to_at,
        versions.observed_at,
        case
            when
                stated.service_tier = 'standard'
                or stated.has_tier_reasoning = 1
                or stated.has_tier_output = 0
                then stated.stated_reasoning
        end as own_reasoning
    from stated
    inner join versions
        on stated.price_version_key = versions.price_version_key
),

-- The base write rate is what every lifetime without a rate of its own costs. No cache rate at all costs input, of
-- the same tier, size and hour; a read at Fireworks half of it.
rated as (
    select
        *,
        stated_input as r_input,
        coalesce(
            stated_cache_read,
            case
                when provider = 'fireworks_ai'
                    then cast(stated_input * cast(0.5 as decimal(2, 1)) as decimal(18, 15))
                else stated_input
            end
        ) as r_cache_read,
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
        coalesce(stated_request, stated_search) as r_request,
        is_explicit_cache_write as is_explicit_cache_write_5m,
        is_explicit_cache_write as is_explicit_cache_write_30m,
        case when own_reasoning is null then 0 else is_explicit_reasoning end
            as is_explicit_own_reasoning
    from with_own_reasoning
)

select
    price_key,
    price_version_key,
    provider,
    model_name,
    service_tier,
    band_lo,
    band_hi,
    week_minute_from,
    week_minute_to,
    change_kind,
    snapshot_id,
    {% for line in resolved_lines() %}
    r_{{ line }},
    case
        when is_explicit_{{ 'own_reasoning' if line == 'reasoning' else line }} = 1 then 'explicit'
        when r_{{ line }} is not null then 'fallback'
    end as src_{{ line }},
    {%- endfor %}

    valid_from_at,
    valid_to_at,
    observed_at
from rated
