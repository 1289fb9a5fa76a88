-- one row per price version, service tier and unit that is no token: the one rate that the price file is read as saying
with versions as (
    select * from {{ ref('int_prices__versions') }}
),

rates as (
    select * from {{ ref('int_prices__version_rates') }}
),

-- The file may state several rates of one unit of a model: heard and seen, by resolution, by the depth of a search. What
-- has no variant is the default; an image is one that was made; the zero of two alternatives says which of them is not used.
ranked as (
    select
        versions.price_version_key,
        versions.price_key,
        versions.provider,
        versions.valid_from_at,
        coalesce(versions.valid_to_at, timestamp '9999-12-31 00:00:00') as valid_to_at,
        case rates.service_tier when 'standard' then '' else rates.service_tier end as service_tier,
        rates.unit,
        rates.meter,
        rates.rate_usd_per_unit,
        rank() over (
            partition by versions.price_version_key, rates.service_tier, rates.unit
            order by
                case rates.variant when '' then 0 else 1 end,
                case rates.meter when 'image_seen' then 1 else 0 end,
                case rates.rate_usd_per_unit when 0 then 1 else 0 end
        ) as preference
    from versions
    inner join rates
        on versions.price_version_key = rates.price_version_key
    where rates.unit not in ('token', 'factor')
        and rates.min_input_tokens is null
        and rates.week_minute_from is null
)

-- Stated twice alike it counts once; where rates still differ by what usage does not tell, none of them is the price.
select
    price_version_key,
    price_key,
    provider,
    service_tier,
    unit,
    min(meter) as meter,
    max(rate_usd_per_unit) as rate_usd_per_unit,
    min(rate_usd_per_unit) = max(rate_usd_per_unit) as is_offered,
    valid_from_at,
    valid_to_at
from ranked
where preference = 1
group by
    price_version_key,
    price_key,
    provider,
    service_tier,
    unit,
    valid_from_at,
    valid_to_at
