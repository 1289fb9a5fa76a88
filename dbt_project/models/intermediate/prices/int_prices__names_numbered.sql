-- one row per raw (provider, model name) seen in usage and service tier: a number for it, for one pass. Acts get it with
-- their rates, and join to terms by it: four texts would cost nine times as much
{{ config(materialized='table') }}

with name_matches as (
    select * from {{ ref('int_prices__name_matches') }}
),

named as (
    select provider, model_name
    from name_matches
    group by provider, model_name
),

tiers as (
    select service_tier
    from {{ ref('price_resolved') }}
    group by service_tier
)

select
    named.provider,
    named.model_name,
    tiers.service_tier,
    cast(row_number() over (order by named.provider, named.model_name, tiers.service_tier) as integer)
        as name_number
from named
cross join tiers
