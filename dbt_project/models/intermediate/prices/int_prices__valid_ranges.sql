-- one row per price version and range of time it prices: from its change to the next, but for windows that were
-- repriced, which take the version known at a later time (F34). No row of a key overlaps another
{{ config(materialized='table') }}

with versions as (
    select * from {{ ref('int_prices__versions') }}
),

repricings as (
    select * from {{ ref('stg_decisions__repricings') }}
    where not is_undone
),

repriced as (
    select
        versions.price_key,
        repricings.repricing_id,
        repricings.from_at,
        repricings.to_at,
        repricings.as_known_at,
        repricings.applied_at
    from (select price_key from versions group by price_key) as versions
    inner join repricings
        on repricings.price_key is null or versions.price_key = repricings.price_key
),

-- What was known then: the newest observation, of the range that held then.
known as (
    select
        repriced.price_key,
        repriced.repricing_id,
        versions.price_version_key,
        row_number() over (
            partition by repriced.price_key, repriced.repricing_id
            order by versions.observed_at desc, versions.valid_from_at desc
        ) as newest_rank
    from repriced
    inner join versions
        on repriced.price_key = versions.price_key
        and versions.observed_at <= repriced.as_known_at
        and versions.valid_from_at <= repriced.as_known_at
        and (versions.valid_to_at is null or versions.valid_to_at > repriced.as_known_at)
),

boundaries as (
    select price_key, from_at as starts_at from repriced
    union
    select price_key, to_at as starts_at from repriced
    union
    select versions.price_key, versions.valid_from_at as starts_at
    from versions
    where versions.price_key in (select price_key from repriced)
    union
    select versions.price_key, versions.valid_to_at as starts_at
    from versions
    where versions.price_key in (select price_key from repriced)
        and versions.valid_to_at is not null
),

intervals as (
    select
        price_key,
        starts_at,
        lead(starts_at) over (partition by price_key order by starts_at) as ends_at
    from boundaries
),

-- The repricing applied last wins; a model that was not known then keeps its own version.
decided as (
    select
        intervals.price_key,
        intervals.starts_at,
        intervals.ends_at,
        known.price_version_key,
        row_number() over (
            partition by intervals.price_key, intervals.starts_at
            order by repriced.applied_at desc, repriced.repricing_id desc
        ) as newest_rank
    from intervals
    inner join repriced
        on intervals.price_key = repriced.price_key
        and intervals.starts_at >= repriced.from_at
        and intervals.starts_at < repriced.to_at
    inner join known
        on repriced.price_key = known.price_key
        and repriced.repricing_id = known.repricing_id
        and known.newest_rank = 1
),

as_repriced as (
    select
        coalesce(decided.price_version_key, versions.price_version_key) as price_version_key,
        intervals.starts_at as valid_from_at,
        intervals.ends_at as valid_to_at,
        decided.price_version_key is not null as is_repriced
    from intervals
    left join decided
        on intervals.price_key = decided.price_key
        and intervals.starts_at = decided.starts_at
        and decided.newest_rank = 1
    left join versions
        on intervals.price_key = versions.price_key
        and intervals.starts_at >= versions.valid_from_at
        and (versions.valid_to_at is null or intervals.starts_at < versions.valid_to_at)
)

select
    price_version_key,
    valid_from_at,
    valid_to_at,
    is_repriced
from as_repriced
where price_version_key is not null
union all
select
    price_version_key,
    valid_from_at,
    valid_to_at,
    false as is_repriced
from versions
where price_key not in (select price_key from repriced)
