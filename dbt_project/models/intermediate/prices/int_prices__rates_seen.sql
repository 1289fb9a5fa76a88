-- one row per model key seen, size band, band of the week and range of time: what an act joins to, by one key
{{ config(materialized='table') }}

with models_seen as (
    select * from {{ ref('int_usage__models_seen') }}
    where model_key is not null
),

rates as (
    select * from {{ ref('int_prices__rates_by_name') }}
)

select
    models_seen.model_key,
    rates.*,
    -- Rates of a tier that is not known are stood in for by the standard ones.
    {{ is_known_tier('models_seen.service_tier') }} as is_known_tier
from models_seen
inner join rates
    on coalesce(models_seen.provider, '') = rates.provider
    and coalesce(models_seen.model_served, models_seen.model_requested, '') = rates.model_name
    and coalesce(models_seen.region, '') = rates.region
    and {{ price_tier('models_seen.service_tier') }} = rates.service_tier
