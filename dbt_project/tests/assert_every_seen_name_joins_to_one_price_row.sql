-- Fails for each name, region, tier, instant, minute of the week and size at which an event would find no row, or two:
-- it would be lost from the estimate or priced twice. Ranges are probed at each of their starts and ends.
{{ config(meta={'dagster': {'ref': {'name': 'int_prices__rates_by_name'}}}) }}
with models_seen as (
    select
        coalesce(provider, '') as provider,
        coalesce(model_served, model_requested, '') as model_name,
        coalesce(region, '') as region
    from {{ ref('int_usage__models_seen') }}
    group by
        coalesce(provider, ''),
        coalesce(model_served, model_requested, ''),
        coalesce(region, '')
),

rates as (
    select * from {{ ref('int_prices__rates_by_name') }}
),

service_tiers as (
    select service_tier
    from {{ ref('price_resolved') }}
    group by service_tier
),

instants as (
    select provider, model_name, region, valid_from_at as probed_at
    from rates
    group by provider, model_name, region, valid_from_at
    union
    select provider, model_name, region, valid_to_at as probed_at
    from rates
    where valid_to_at < timestamp '9999-12-31 00:00:00'
    group by provider, model_name, region, valid_to_at
),

minutes as (
    select provider, model_name, region, week_minute_from as probed_minute
    from rates
    group by provider, model_name, region, week_minute_from
),

sizes as (
    select provider, model_name, region, band_lo + 1 as probed_tokens
    from rates
    group by provider, model_name, region, band_lo + 1
),

probes as (
    select
        models_seen.provider,
        models_seen.model_name,
        models_seen.region,
        service_tiers.service_tier,
        instants.probed_at,
        minutes.probed_minute,
        sizes.probed_tokens
    from models_seen
    cross join service_tiers
    left join instants
        on models_seen.provider = instants.provider
        and models_seen.model_name = instants.model_name
        and models_seen.region = instants.region
    left join minutes
        on models_seen.provider = minutes.provider
        and models_seen.model_name = minutes.model_name
        and models_seen.region = minutes.region
    left join sizes
        on models_seen.provider = sizes.provider
        and models_seen.model_name = sizes.model_name
        and models_seen.region = sizes.region
)

select
    probes.provider,
    probes.model_name,
    probes.region,
    probes.service_tier,
    probes.probed_at,
    probes.probed_minute,
    probes.probed_tokens,
    count(rates.provider) as rows_found
from probes
left join rates
    on probes.provider = rates.provider
    and probes.model_name = rates.model_name
    and probes.region = rates.region
    and probes.service_tier = rates.service_tier
    and probes.probed_at >= rates.valid_from_at
    and probes.probed_at < rates.valid_to_at
    and probes.probed_minute >= rates.week_minute_from
    and probes.probed_minute < rates.week_minute_to
    and probes.probed_tokens > rates.band_lo
    and probes.probed_tokens <= rates.band_hi
group by
    probes.provider,
    probes.model_name,
    probes.region,
    probes.service_tier,
    probes.probed_at,
    probes.probed_minute,
    probes.probed_tokens
having count(rates.provider) <> 1
