-- one row per raw (provider, model name) seen in usage: what the catalogue knows it as, or nothing
{{ config(materialized='table') }}

with names as (
    select * from {{ ref('int_prices__names_reduced') }}
),

versions as (
    select * from {{ ref('int_prices__versions') }}
),

catalogue as (
    select provider, model_name, price_key
    from versions
    where version_number = 1
),

-- A recognised suffix comes off: the version, then also the date. Nothing else: no prefix, no `contains`.
bases as (
    select
        provider,
        model_name,
        canonical_provider,
        unrouted_name as base_name,
        1 as base_rank,
        cast(null as varchar) as region_extract
    from names
    union all
    select
        provider,
        model_name,
        canonical_provider,
        based_name as base_name,
        2 as base_rank,
        region_extract
    from names
),

unversioned as (
    select *, regexp_replace(base_name, '-v1:0$', '') as unversioned_name
    from bases
),

undated as (
    select
        *,
        regexp_replace(
            unversioned_name,
            concat(
                '(-20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])',
                '|[-@]20[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])',
                '|@default)$'
            ),
            ''
        ) as undated_name
    from unversioned
),

-- The lowest rank that the catalogue knows wins: the name itself, then without a listed prefix, then without a suffix.
candidates as (
    select
        provider, model_name, canonical_provider, model_name as candidate, 0 as match_rank,
        'exact' as matched_by, cast(null as varchar) as region_extract
    from names
    union all
    select
        provider, model_name, canonical_provider, base_name as candidate, base_rank as match_rank,
        'catalogue_alias' as matched_by, region_extract
    from undated
    union all
    select
        provider, model_name, canonical_provider, unversioned_name as candidate,
        base_rank * 10 as match_rank, 'date_suffix' as matched_by, region_extract
    from undated
    where unversioned_name <> base_name
    union all
    select
        provider, model_name, canonical_provider, undated_name as candidate,
        base_rank * 10 + 1 as match_rank, 'date_suffix' as matched_by, region_extract
    from undated
    where undated_name <> base_name
),

ranked as (
    select
        candidates.*,
        catalogue.price_key,
        row_number() over (
            partition by candidates.provider, candidates.model_name
            order by
                case when catalogue.price_key is null then 1 else 0 end,
                candidates.match_rank
        ) as preference
    from candidates
    left join catalogue
        on candidates.canonical_provider = catalogue.provider
        and candidates.candidate = catalogue.model_name
)

select
    provider,
    model_name,
    canonical_provider,
    price_key,
    case when price_key is null then 'none' else matched_by end as matched_by,
    case when price_key is not null then region_extract end as region_extract
from ranked
where preference = 1
