-- one row per price version, service tier and unit that is no token: the one rate that the price file is read as saying
with versions as (
    select * from {{ ref('int_prices__versions') }}
),

rates as (
    select * from {{ ref('int_prices__version_rates') }}
),

-- The file may state several rates of one unit of a model: heard and seen, by resolution, by the depth of a search. An
-- act does not tell which: of those without a variant the dearest, else that of the middle depth.
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
        row_number() over (
            partition by versions.price_version_key, rates.service_tier, rates.unit
            order by
                case rates.variant when '' then 0 when 'medium' then 1 else 2 end,
                rates.rate_usd_per_unit desc,
                rates.meter,
                rates.variant
        ) as preference
    from versions
    inner join rates
        on versions.price_version_key = rates.price_version_key
    where rates.unit not in ('token', 'factor')
        and rates.min_input_tokens is null
        and rates.week_minute_from is null
)

select
    price_version_key,
    price_key,
    provider,
    service_tier,
    unit,
    meter,
    rate_usd_per_unit,
    valid_from_at,
    valid_to_at
from ranked
where preference = 1
