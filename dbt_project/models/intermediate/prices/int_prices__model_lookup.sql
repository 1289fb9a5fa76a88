-- one row per raw (provider, model name) seen in usage and range of time: the catalogued model it means
{{ config(materialized='table') }}

with name_matches as (
    select * from {{ ref('int_prices__name_matches') }}
),

aliases as (
    select * from {{ ref('int_prices__aliases') }}
),

provider_names as (
    select * from {{ ref('stg_price_catalog__provider_names') }}
),

versions as (
    select * from {{ ref('int_prices__versions') }}
),

-- The user's aliases of names that were seen; a provider may be spelled in any accepted way.
aliases_seen as (
    select
        name_matches.provider,
        name_matches.model_name,
        concat(
            coalesce(target_names.provider, lower(aliases.target_provider)),
            '/',
            aliases.target_model
        ) as target_price_key,
        coalesce(aliases.valid_from_at, timestamp '1970-01-01 00:00:00') as valid_from_at,
        aliases.valid_to_at
    from aliases
    left join provider_names as alias_names
        on lower(aliases.provider) = alias_names.provider_raw
    left join provider_names as target_names
        on lower(aliases.target_provider) = target_names.provider_raw
    inner join name_matches
        on coalesce(alias_names.provider, lower(aliases.provider))
        = name_matches.canonical_provider
        and aliases.model_raw = name_matches.model_name
),

-- Every instant at which the meaning of a name may change.
boundaries as (
    select provider, model_name, timestamp '1970-01-01 00:00:00' as valid_from_at
    from name_matches
    union
    select provider, model_name, valid_from_at from aliases_seen
    union
    select provider, model_name, valid_to_at as valid_from_at
    from aliases_seen
    where valid_to_at is not null
),

segments as (
    select
        provider,
        model_name,
        valid_from_at,
        lead(valid_from_at) over (
            partition by provider, model_name order by valid_from_at
        ) as valid_to_at
    from boundaries
),

-- Of overlapping aliases the one declared for the later start wins.
ranked as (
    select
        segments.provider,
        segments.model_name,
        segments.valid_from_at,
        segments.valid_to_at,
        aliases_seen.target_price_key,
        row_number() over (
            partition by segments.provider, segments.model_name, segments.valid_from_at
            order by aliases_seen.valid_from_at desc nulls last, aliases_seen.target_price_key
        ) as preference
    from segments
    left join aliases_seen
        on segments.provider = aliases_seen.provider
        and segments.model_name = aliases_seen.model_name
        and segments.valid_from_at >= aliases_seen.valid_from_at
        and (
            segments.valid_from_at < aliases_seen.valid_to_at
            or aliases_seen.valid_to_at is null
        )
),

targets as (
    select price_key
    from versions
    where version_number = 1
),

-- An alias to a model that the catalogue lacks matches nothing: guessing past it would hide the mistake.
resolved as (
    select
        ranked.provider,
        ranked.model_name,
        name_matches.canonical_provider,
        case
            when ranked.target_price_key is null then name_matches.price_key
            else targets.price_key
        end as price_key,
        case
            when ranked.target_price_key is null then name_matches.matched_by
            when targets.price_key is null then 'none'
            else 'alias'
        end as matched_by,
        case when ranked.target_price_key is null then name_matches.region_extract end
            as region_extract,
        ranked.valid_from_at,
        ranked.valid_to_at
    from ranked
    inner join name_matches
        on ranked.provider = name_matches.provider
        and ranked.model_name = name_matches.model_name
    left join targets
        on ranked.target_price_key = targets.price_key
    where ranked.preference = 1
)

select
    provider,
    model_name,
    canonical_provider,
    price_key,
    matched_by,
    case matched_by
        when 'alias' then 'declared'
        when 'exact' then 'exact'
        when 'none' then 'none'
        else 'derived'
    end as confidence,
    region_extract,
    valid_from_at,
    valid_to_at
from resolved
