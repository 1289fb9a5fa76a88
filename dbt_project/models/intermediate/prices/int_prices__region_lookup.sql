-- one row per raw (provider, model name, region) seen in usage and range of time: the catalogued model it means there
{{ config(materialized='table') }}

with models_seen as (
    select * from {{ ref('int_usage__models_seen') }}
),

lookup as (
    select * from {{ ref('int_prices__model_lookup') }}
),

names as (
    select * from {{ ref('int_prices__names_reduced') }}
),

catalogue as (
    select provider, model_name, price_key
    from {{ ref('int_prices__versions') }}
    where version_number = 1
),

regions_seen as (
    select
        coalesce(provider, '') as provider,
        coalesce(model_served, model_requested, '') as model_name,
        coalesce(region, '') as region
    from models_seen
    group by
        coalesce(provider, ''),
        coalesce(model_served, model_requested, ''),
        coalesce(region, '')
),

-- The catalogue lists what a model costs in some regions as `<region>/<model>`. A geo profile has its own price
-- wherever it is called from, and an alias to another provider's model means that model.
looked_up as (
    select
        lookup.*,
        regions_seen.region,
        case
            when lookup.canonical_provider not in ('aws_bedrock', 'azure') then null
            when regions_seen.region = '' or lookup.region_extract is not null then null
            when matched.provider <> lookup.canonical_provider then null
            else concat(
                lower(regions_seen.region), '/', coalesce(matched.model_name, names.unrouted_name)
            )
        end as regional_name
    from lookup
    inner join regions_seen
        on lookup.provider = regions_seen.provider
        and lookup.model_name = regions_seen.model_name
    inner join names
        on lookup.provider = names.provider
        and lookup.model_name = names.model_name
    left join catalogue as matched
        on lookup.price_key = matched.price_key
)

select
    looked_up.provider,
    looked_up.model_name,
    looked_up.region,
    looked_up.canonical_provider,
    coalesce(regional.price_key, looked_up.price_key) as price_key,
    case
        when regional.price_key is null or looked_up.matched_by = 'alias' then looked_up.matched_by
        else 'region'
    end as matched_by,
    case
        when regional.price_key is null or looked_up.matched_by = 'alias' then looked_up.confidence
        else 'derived'
    end as confidence,
    looked_up.region_extract,
    looked_up.valid_from_at,
    looked_up.valid_to_at
from looked_up
left join catalogue as regional
    on looked_up.canonical_provider = regional.provider
    and looked_up.regional_name = regional.model_name
