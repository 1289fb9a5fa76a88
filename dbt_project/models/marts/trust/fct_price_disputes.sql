-- one row per catalogued model, meter and size whose price of today a second source states otherwise
with opinions as (
    select * from {{ ref('int_prices__opinions') }}
),

versions as (
    select * from {{ ref('int_prices__versions') }}
    where valid_to_at is null
),

rates as (
    select * from {{ ref('int_prices__version_rates') }}
    where service_tier = 'standard'
        and variant = ''
        and week_minute_from is null
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

lookup as (
    select * from {{ ref('int_prices__model_lookup') }}
),

models_in_use as (
    select price_key
    from lookup
    where price_key is not null
    group by price_key
)

select
    versions.price_key,
    versions.provider,
    versions.model_name,
    opinions.meter,
    opinions.min_input_tokens,
    rates.rate_usd_per_unit as catalogue_usd_per_unit,
    opinions.rate_usd_per_unit as second_source_usd_per_unit,
    models_in_use.price_key is not null as is_used,
    opinions.valid_from_at as second_source_valid_from_at,
    versions.observed_at
from versions
inner join rates
    on versions.price_version_key = rates.price_version_key
inner join opinions
    on versions.price_key = opinions.price_key
    and rates.meter = opinions.meter
    and coalesce(rates.min_input_tokens, -1) = coalesce(opinions.min_input_tokens, -1)
cross join current_pass
left join models_in_use
    on versions.price_key = models_in_use.price_key
where opinions.valid_from_at <= current_pass.as_of
    and (opinions.valid_to_at is null or opinions.valid_to_at > current_pass.as_of)
    -- A free listing says nothing of what a paid one costs.
    and opinions.rate_usd_per_unit > 0
    and abs(rates.rate_usd_per_unit - opinions.rate_usd_per_unit)
    > opinions.rate_usd_per_unit * cast(0.02 as decimal(3, 2))
