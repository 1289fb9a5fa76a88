-- one row per raw (provider, model name, region) seen, service tier, size band, band of the week and range of time: the
-- rates an act under that name is priced with, and how the name became a model
select
    provider,
    canonical_provider,
    model_name,
    region,
    service_tier,
    band_lo as more_than_input_tokens,
    case when band_hi < 9223372036854775807 then band_hi end as up_to_input_tokens,
    cast(week_minute_from as bigint) as week_minute_from,
    cast(week_minute_to as bigint) as week_minute_to,
    price_key as model_id,
    price_version_key,
    matched_by,
    region_extract,

    {% for kind in token_kinds() -%}
    r_{{ kind }} as {{ kind }}_usd_per_unit,
    {% endfor -%}
    r_request as request_usd_per_unit,
    {% for kind in token_kinds() -%}
    is_fallback_{{ kind }},
    {% endfor -%}
    estimate_input_usd_per_unit,
    estimate_output_usd_per_unit,

    valid_from_at,
    case when valid_to_at < timestamp '9999-12-31 00:00:00' then valid_to_at end as valid_to_at,
    price_observed_at
from {{ ref('int_prices__rates_by_name') }}
