-- one row per source instance, raw provider, raw model name, service tier and unit seen together, and range of time: what
-- one unit costs, or that nothing is known but a dear rate to estimate at. Ranges are never null and cover all time
{{ config(materialized='table') }}

with seen as (
    select * from {{ ref('int_prices__units_seen') }}
),

offers as (
    select * from {{ ref('int_prices__unit_offers') }}
),

fitting as (
    select * from {{ ref('int_prices__unit_rates_matched') }}
),

boundaries as (
    select combination_key, timestamp '1970-01-01 00:00:00' as valid_from_at from seen
    union
    select combination_key, valid_from_at from fitting
    union
    select combination_key, valid_to_at as valid_from_at from fitting
    where valid_to_at < timestamp '9999-12-31 00:00:00'
),

segments as (
    select
        combination_key,
        valid_from_at,
        coalesce(
            lead(valid_from_at) over (partition by combination_key order by valid_from_at),
            timestamp '9999-12-31 00:00:00'
        ) as valid_to_at
    from boundaries
),

-- The vendor's own word goes before a card, a card before the price file; then what names more; then the dearest.
ranked as (
    select
        segments.combination_key,
        segments.valid_from_at,
        segments.valid_to_at,
        fitting.unit_rate_key,
        fitting.rate_origin,
        fitting.rate_usd_per_unit,
        fitting.currency_code,
        row_number() over (
            partition by segments.combination_key, segments.valid_from_at
            order by
                fitting.origin_rank nulls last,
                fitting.specificity desc,
                fitting.rate_usd_per_unit desc nulls last,
                fitting.unit_rate_key
        ) as preference
    from segments
    left join fitting
        on segments.combination_key = fitting.combination_key
        and segments.valid_from_at >= fitting.valid_from_at
        and segments.valid_from_at < fitting.valid_to_at
),

-- As for tokens: the 95th percentile of what is known of the provider; of fewer than 20 the dearest.
estimates as (
    select
        provider,
        unit,
        percentile_disc(0.95) within group (order by rate_usd_per_unit) as estimate_usd_per_unit
    from offers
    where rate_usd_per_unit is not null
    group by provider, unit
)

select
    seen.source_instance,
    seen.provider,
    seen.model_name,
    seen.service_tier,
    seen.unit,
    ranked.valid_from_at,
    ranked.valid_to_at,
    ranked.rate_usd_per_unit,
    ranked.unit_rate_key,
    ranked.rate_origin,
    ranked.currency_code,
    estimates.estimate_usd_per_unit
from seen
inner join ranked
    on seen.combination_key = ranked.combination_key
    and ranked.preference = 1
left join estimates
    on seen.canonical_provider = estimates.provider
    and seen.unit = estimates.unit
