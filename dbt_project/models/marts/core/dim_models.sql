-- one row per model that the catalogue has ever listed
with models as (
    select * from {{ ref('stg_price_catalog__models') }}
),

snapshots as (
    select * from {{ ref('stg_price_catalog__snapshots') }}
),

versions as (
    select * from {{ ref('int_prices__versions') }}
),

lookup as (
    select * from {{ ref('int_prices__model_lookup') }}
),

newest_snapshots as (
    select
        catalogue,
        max(observed_at) as observed_at
    from snapshots
    where status = 'accepted'
    group by catalogue
),

listings as (
    select
        models.*,
        snapshots.catalogue,
        case when models.observed_at = newest_snapshots.observed_at then 1 else 0 end as is_listed
    from models
    inner join snapshots
        on models.load_id = snapshots.load_id
    inner join newest_snapshots
        on snapshots.catalogue = newest_snapshots.catalogue
),

-- What is listed now wins, the base catalogue's listing before a gap filler's; then the newest one.
ranked as (
    select
        *,
        row_number() over (
            partition by provider, model_name
            order by
                is_listed desc,
                case when catalogue = '{{ base_catalogue() }}' then 0 else 1 end,
                observed_at desc,
                load_id desc
        ) as newest_rank,
        min(observed_at) over (partition by provider, model_name) as first_observed_at
    from listings
),

version_counts as (
    select provider, model_name, count(*) as versions_count
    from versions
    group by provider, model_name
),

models_in_use as (
    select price_key
    from lookup
    where price_key is not null
    group by price_key
)

select
    concat(ranked.provider, '/', ranked.model_name) as model_id,
    ranked.provider,
    ranked.model_name,
    ranked.catalogue_key,
    ranked.mode,
    ranked.is_listed = 1 as is_listed,
    models_in_use.price_key is not null as is_in_use,
    version_counts.versions_count,
    ranked.deprecation_on,
    ranked.first_observed_at,
    ranked.observed_at as last_observed_at
from ranked
left join version_counts
    on ranked.provider = version_counts.provider
    and ranked.model_name = version_counts.model_name
left join models_in_use
    on concat(ranked.provider, '/', ranked.model_name) = models_in_use.price_key
where ranked.newest_rank = 1
