-- one row per canonical provider and raw model name seen in usage that no catalogued model is known for: the most alike ones
{{ config(materialized='table') }}

with name_matches as (
    select * from {{ ref('int_prices__name_matches') }}
),

versions as (
    select * from {{ ref('int_prices__versions') }}
),

prices as (
    select * from {{ ref('price_resolved') }}
),

-- Only what has a price would fix anything.
priced_models as (
    select price_key
    from prices
    where r_input is not null or r_output is not null
    group by price_key
),

-- Names are compared without the maker in front, in small letters, versions with dashes.
catalogue as (
    select
        versions.price_key,
        versions.provider,
        versions.model_name,
        replace(
            lower(regexp_replace(versions.model_name, '^.*/', '')), '.', '-'
        ) as compared_name
    from versions
    inner join priced_models
        on versions.price_key = priced_models.price_key
    where versions.version_number = 1
),

providers as (
    select provider
    from catalogue
    group by provider
),

unmatched as (
    select
        name_matches.canonical_provider,
        name_matches.model_name,
        providers.provider is not null as is_known_provider,
        replace(
            lower(regexp_replace(name_matches.model_name, '^.*/', '')), '.', '-'
        ) as compared_name,
        lower(regexp_replace(name_matches.model_name, '/.*$', '')) as maker
    from name_matches
    left join providers
        on name_matches.canonical_provider = providers.provider
    where
        name_matches.price_key is null
        and name_matches.model_name <> ''
    group by name_matches.canonical_provider, name_matches.model_name, providers.provider
),

-- Of a provider that the catalogue lacks, the models of all others; at equal likeness the maker's own goes first.
ranked as (
    select
        unmatched.canonical_provider,
        unmatched.model_name,
        catalogue.price_key,
        catalogue.provider as target_provider,
        catalogue.model_name as target_model,
        row_number() over (
            partition by unmatched.canonical_provider, unmatched.model_name
            order by
                {{ text_similarity('unmatched.compared_name', 'catalogue.compared_name') }} desc,
                case when catalogue.provider = unmatched.maker then 0 else 1 end,
                catalogue.price_key
        ) as candidate_rank
    from unmatched
    inner join catalogue
        on unmatched.canonical_provider = catalogue.provider
        or not unmatched.is_known_provider
)

select
    canonical_provider as provider,
    model_name,
    concat_ws(
        ', ',
        max(case when candidate_rank = 1 then price_key end),
        max(case when candidate_rank = 2 then price_key end),
        max(case when candidate_rank = 3 then price_key end)
    ) as candidate_models,
    max(case when candidate_rank = 1 then target_provider end) as target_provider,
    max(case when candidate_rank = 1 then target_model end) as target_model
from ranked
where candidate_rank <= 3
group by canonical_provider, model_name
