-- one row per published rate of a unit that is no token, and what it holds for ('' is any), of the newest rate cards
with source as (
    select * from {{ raw_rows('price_catalog', 'unit_rates') }}
),

-- A card carries its own dates, so that its newest content is the whole history.
newest as (
    select max(source.load_id) as load_id
    from source
),

renamed as (
    select
        source.load_id,
        source.cards_sha256,
        source.provider,
        source.unit,
        source.model as model_name,
        source.service_tier,
        source.edition,
        source.account_region,
        source.rate_usd_per_unit,
        coalesce(cast(source.valid_from_on as timestamp), timestamp '1970-01-01 00:00:00') as valid_from_at,
        coalesce(cast(source.valid_to_on as timestamp), timestamp '9999-12-31 00:00:00') as valid_to_at,
        source.quoted,
        source.url,
        source.checked_on
    from source
    inner join newest
        on source.load_id = newest.load_id
)

select * from renamed
