-- one row per act, with the rates of its moment multiplied in: dated range joins, no window and no aggregate, so that day
-- filters reach the events below
with usage_events as (
    select
        *,
        {{ kinds_mask('coalesce({kind}_tokens, 0) <> 0') }} as used_mask
    from {{ ref('int_usage__attributed') }}
),

rates as (
    select * from {{ ref('int_prices__rates_seen') }}
),

unit_rates as (
    select
        source_instance,
        provider,
        model_name,
        service_tier,
        unit as unit_name,
        unit_rate_key,
        rate_usd_per_unit,
        estimate_usd_per_unit,
        valid_from_at,
        valid_to_at
    from {{ ref('int_prices__unit_rates') }}
),

sources as (
    select * from {{ ref('stg_config__sources') }}
)

select
    usage_events.*,
    rates.price_key as model_id,
    rates.price_key,
    rates.price_version_key,
    coalesce(rates.name_number, 0) as name_number,
    rates.matched_by as model_matched_by,
    rates.canonical_provider,
    rates.price_observed_at,
    rates.estimate_input_usd_per_unit,
    rates.estimate_output_usd_per_unit,
    coalesce(sources.cost_policy, 'trust_reported') as cost_policy,

    {{ money('usage_events.input_tokens * rates.r_input') }} as rated_input_usd,
    {{ money('usage_events.cache_read_tokens * rates.r_cache_read') }} as rated_cache_read_usd,
    {{ money('usage_events.cache_write_5m_tokens * rates.r_cache_write_5m') }} as rated_cache_write_5m_usd,
    {{ money('usage_events.cache_write_30m_tokens * rates.r_cache_write_30m') }} as rated_cache_write_30m_usd,
    {{ money('usage_events.cache_write_1h_tokens * rates.r_cache_write_1h') }} as rated_cache_write_1h_usd,
    {{ money('usage_events.cache_write_12h_tokens * rates.r_cache_write_12h') }} as rated_cache_write_12h_usd,
    {{ money('usage_events.output_tokens * rates.r_output') }} as rated_output_usd,
    {{ money('usage_events.reasoning_tokens * rates.r_reasoning') }} as rated_reasoning_usd,
    {{ money('usage_events.audio_input_tokens * rates.r_audio_input') }} as rated_audio_input_usd,
    {{ money('usage_events.audio_output_tokens * rates.r_audio_output') }} as rated_audio_output_usd,
    {{ money('usage_events.image_input_tokens * rates.r_image_input') }} as rated_image_input_usd,
    {{ money('usage_events.image_output_tokens * rates.r_image_output') }} as rated_image_output_usd,
    -- A fee for each request, whatever its size; none where the catalogue states none.
    {{ money(slot_count('request') ~ ' * rates.r_request') }} as rated_request_usd,
    unit_rates.unit_rate_key,
    {{ money(slot_count('unit') ~ ' * unit_rates.rate_usd_per_unit') }} as rated_unit_usd,
    {{ money(slot_count('unit') ~ ' * unit_rates.estimate_usd_per_unit') }} as estimated_unit_usd,

    -- A used bucket without a rate: there is no price, whatever the other buckets cost.
    coalesce((usage_events.used_mask & rates.missing_mask) <> 0, true) as lacks_a_rate,
    not rates.is_known_tier
    or (rates.r_request <> 0 and rates.is_fallback_request)
    or (usage_events.used_mask & rates.fallback_mask) <> 0 as has_fallback_rate
from usage_events
left join rates
    on usage_events.model_key = rates.model_key
    and usage_events.occurred_at >= rates.valid_from_at
    and usage_events.occurred_at < rates.valid_to_at
    and coalesce(usage_events.total_input_tokens, 0) > rates.band_lo
    and coalesce(usage_events.total_input_tokens, 0) <= rates.band_hi
    and {{ week_minute('usage_events.occurred_at') }} >= rates.week_minute_from
    and {{ week_minute('usage_events.occurred_at') }} < rates.week_minute_to
left join unit_rates
    on usage_events.unit = unit_rates.unit_name
    and usage_events.source_instance = unit_rates.source_instance
    and coalesce(usage_events.provider, '') = unit_rates.provider
    and coalesce(usage_events.model_served, usage_events.model_requested, '') = unit_rates.model_name
    and coalesce(usage_events.service_tier, '') = unit_rates.service_tier
    and usage_events.occurred_at >= unit_rates.valid_from_at
    and usage_events.occurred_at < unit_rates.valid_to_at
left join sources
    on usage_events.source_instance = sources.source_instance
