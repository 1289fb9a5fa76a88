-- one row per provider, and one with provider '*' for the others: a dear rate, for what has no price
{{ config(materialized='table') }}

with prices as (
    select * from {{ ref('price_resolved') }}
),

-- Text models at their standard base rates of today. Over 1,000 USD per million tokens an entry is taken for a
-- unit slip of the catalogue. Of cheaper and dearer hours the dearer count.
text_rates as (
    select
        provider,
        price_version_key,
        max(r_input) as r_input,
        max(r_output) as r_output
    from prices
    where
        service_tier = 'standard'
        and band_lo = -1
        and valid_to_at is null
        and r_input > 0
        and r_input <= 0.001
        and r_output > 0
        and r_output <= 0.001
    group by provider, price_version_key
),

scoped as (
    select provider, r_input, r_output from text_rates
    union all
    select '*' as provider, r_input, r_output from text_rates
)

-- The 95th percentile, so that one crazy entry does not decide; with under 20 models that is the dearest.
select
    provider,
    percentile_disc(0.95) within group (order by r_input) as estimate_input_usd_per_unit,
    percentile_disc(0.95) within group (order by r_output) as estimate_output_usd_per_unit,
    count(*) as models_count
from scoped
group by provider
