-- one row per price version, service tier, size band and band of the week
with prices as (
    select * from {{ ref('price_resolved') }}
),

versions as (
    select price_version_key, known_by, catalogue
    from {{ ref('int_prices__versions') }}
)

select
    price_key,
    prices.price_version_key,
    provider,
    model_name,
    service_tier,
    band_lo as more_than_input_tokens,
    case when band_hi < 9223372036854775807 then band_hi end as up_to_input_tokens,
    week_minute_from,
    week_minute_to,
    change_kind,
    versions.known_by,
    versions.catalogue,
    snapshot_id,

    r_input as input_usd_per_unit,
    r_cache_read as cache_read_usd_per_unit,
    r_cache_write_5m as cache_write_5m_usd_per_unit,
    r_cache_write_30m as cache_write_30m_usd_per_unit,
    r_cache_write_1h as cache_write_1h_usd_per_unit,
    r_cache_write_12h as cache_write_12h_usd_per_unit,
    r_output as output_usd_per_unit,
    r_reasoning as reasoning_usd_per_unit,
    r_audio_input as audio_input_usd_per_unit,
    r_audio_output as audio_output_usd_per_unit,
    r_image_input as image_input_usd_per_unit,
    r_image_output as image_output_usd_per_unit,
    r_request as request_usd_per_unit,

    src_input as input_rate_source,
    src_cache_read as cache_read_rate_source,
    src_cache_write_5m as cache_write_5m_rate_source,
    src_cache_write_30m as cache_write_30m_rate_source,
    src_cache_write_1h as cache_write_1h_rate_source,
    src_cache_write_12h as cache_write_12h_rate_source,
    src_output as output_rate_source,
    src_reasoning as reasoning_rate_source,
    src_audio_input as audio_input_rate_source,
    src_audio_output as audio_output_rate_source,
    src_image_input as image_input_rate_source,
    src_image_output as image_output_rate_source,
    src_request as request_rate_source,

    valid_from_at,
    valid_to_at,
    observed_at
from prices
inner join versions
    on prices.price_version_key = versions.price_version_key
