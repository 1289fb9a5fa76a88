-- one row per catalogued model, period before its first observation, meter and size: what a second source remembers of it
{{ config(materialized='table') }}

with opinions as (
    select * from {{ ref('int_prices__opinions') }}
),

runs as (
    select * from {{ ref('int_prices__rate_runs') }}
),

rates as (
    select * from {{ ref('stg_price_catalog__rates') }}
    where service_tier = 'standard'
        and variant = ''
        and week_minute_from is null
),

-- What the catalogue said first.
first_stated as (
    select
        runs.price_key,
        rates.meter,
        max(case when rates.min_input_tokens is null then rates.rate_usd_per_unit end)
            as base_usd_per_unit,
        count(rates.min_input_tokens) as sizes_count
    from (
        select catalogue, price_key, first_observed_at
        from opinions
        group by catalogue, price_key, first_observed_at
    ) as firsts
    inner join runs
        on firsts.catalogue = runs.catalogue
        and firsts.price_key = runs.price_key
        and firsts.first_observed_at = runs.observed_at
    inner join rates
        on runs.load_id = rates.load_id
        and runs.rate_key = rates.rate_key
    group by runs.price_key, rates.meter
),

compared as (
    select
        opinions.*,
        opinions.valid_to_at is null or opinions.valid_to_at > opinions.first_observed_at as is_last,
        first_stated.base_usd_per_unit,
        coalesce(first_stated.sizes_count, 0) as sizes_count
    from opinions
    left join first_stated
        on opinions.price_key = first_stated.price_key
        and opinions.meter = first_stated.meter
    where opinions.valid_from_at < opinions.first_observed_at
),

-- A source that disagrees about the price of the day is not asked about the past.
agreeing as (
    select price_key
    from compared
    where is_last
        and min_input_tokens is null
        and meter in ('input', 'output')
    group by price_key
    having max(
        case
            when base_usd_per_unit is null then 1
            when abs(rate_usd_per_unit - base_usd_per_unit) <= base_usd_per_unit * 0.02 then 0
            else 1
        end
    ) = 0
)

-- Of the last period only sizes are taken, and those of meters of which the catalogue lists none any more.
select
    compared.catalogue,
    compared.price_key,
    compared.provider,
    compared.model_name,
    compared.load_id,
    compared.snapshot_id,
    compared.meter,
    compared.min_input_tokens,
    compared.rate_usd_per_unit,
    compared.is_last,
    not compared.is_last or (compared.min_input_tokens is not null and compared.sizes_count = 0)
        as is_taken,
    compared.valid_from_at,
    case
        when compared.is_last then compared.first_observed_at
        else compared.valid_to_at
    end as valid_to_at,
    compared.first_observed_at,
    compared.observed_at
from compared
inner join agreeing
    on compared.price_key = agreeing.price_key
