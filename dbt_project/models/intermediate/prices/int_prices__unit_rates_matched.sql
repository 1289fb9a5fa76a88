-- one row per combination of names and unit seen, and known rate that fits it: of its own source's contract, of a rate card
-- for what the card names, of its model in the price file
with seen as (
    select * from {{ ref('int_prices__units_seen') }}
),

lookup as (
    select * from {{ ref('int_prices__model_lookup') }}
),

offers as (
    select * from {{ ref('int_prices__unit_offers') }}
)

select
    seen.combination_key,
    offers.unit_rate_key,
    offers.rate_origin,
    offers.origin_rank,
    offers.rate_usd_per_unit,
    offers.currency_code,
    (case when offers.service_tier = '' then 0 else 4 end)
    + (case when offers.model_name = '' then 0 else 2 end)
    + (case when offers.source_instance = '' then 0 else 1 end) as specificity,
    offers.valid_from_at,
    offers.valid_to_at
from seen
inner join offers
    on seen.canonical_provider = offers.provider
    and seen.unit = offers.unit
    and offers.source_instance in ('', seen.source_instance)
    and offers.model_name in ('', seen.model_name)
    and offers.service_tier in ('', seen.service_tier)
    and offers.is_offered
    and offers.price_key is null
union all
select
    seen.combination_key,
    offers.unit_rate_key,
    offers.rate_origin,
    offers.origin_rank,
    offers.rate_usd_per_unit,
    offers.currency_code,
    case when offers.service_tier = '' then 0 else 4 end as specificity,
    greatest(lookup.valid_from_at, offers.valid_from_at) as valid_from_at,
    least(
        coalesce(lookup.valid_to_at, timestamp '9999-12-31 00:00:00'), offers.valid_to_at
    ) as valid_to_at
from seen
inner join lookup
    on seen.provider = lookup.provider
    and seen.model_name = lookup.model_name
inner join offers
    on lookup.price_key = offers.price_key
    and offers.is_offered
    and seen.unit = offers.unit
    and offers.service_tier in (
        '', case when seen.service_tier = 'batches' then 'batch' else lower(seen.service_tier) end
    )
    and lookup.valid_from_at < offers.valid_to_at
    and (lookup.valid_to_at is null or offers.valid_from_at < lookup.valid_to_at)
