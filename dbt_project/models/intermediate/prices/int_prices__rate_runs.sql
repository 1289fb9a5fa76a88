-- one row per rate of a model and unbroken time in which we took it for the same
{{ config(materialized='table') }}

with stated as (
    select * from {{ ref('int_prices__rates_stated') }}
),

files as (
    select * from {{ ref('int_prices__files') }}
),

newest as (
    select
        catalogue,
        max(ordinal) as newest_ordinal
    from files
    group by catalogue
),

-- Where a rate is held back its last good one stays, so each good statement counts until the next one. What three files
-- in a row lacked has ended: a statement that is held back does not bring it back.
begun as (
    select
        *,
        case
            when is_held = 0 then 1
            when from_ordinal > lag(to_ordinal) over (
                partition by catalogue, provider, model_name, rate_key order by from_ordinal
            ) + 3 then 1
            else 0
        end as is_begin
    from stated
),

followed as (
    select
        *,
        sum(is_begin) over (
            partition by catalogue, provider, model_name, rate_key order by from_ordinal
        ) as group_number
    from begun
),

good as (
    select
        catalogue,
        provider,
        model_name,
        rate_key,
        group_number,
        max(case when is_held = 0 then load_id end) as load_id,
        max(case when is_held = 0 then rate_usd_per_unit end) as rate_usd_per_unit,
        min(from_ordinal) as from_ordinal,
        max(to_ordinal) as last_ordinal
    from followed
    group by catalogue, provider, model_name, rate_key, group_number
    having min(is_held) = 0
),

succeeded as (
    select
        *,
        lead(from_ordinal) over (
            partition by catalogue, provider, model_name, rate_key order by from_ordinal
        ) as next_ordinal
    from good
),

-- Price files drop keys and restore them: what is gone stays in force until three files in a row lack it.
ended as (
    select
        succeeded.*,
        case
            when succeeded.next_ordinal <= succeeded.last_ordinal + 3 then succeeded.next_ordinal
            when succeeded.last_ordinal + 3 <= newest.newest_ordinal
                then succeeded.last_ordinal + 3
        end as end_ordinal
    from succeeded
    inner join newest
        on succeeded.catalogue = newest.catalogue
),

compared as (
    select
        *,
        case
            when
                lag(end_ordinal) over (
                    partition by catalogue, provider, model_name, rate_key order by from_ordinal
                ) = from_ordinal
                and lag(rate_usd_per_unit) over (
                    partition by catalogue, provider, model_name, rate_key order by from_ordinal
                ) is not distinct from rate_usd_per_unit
                then 0
            else 1
        end as is_begin
    from ended
),

numbered as (
    select
        *,
        sum(is_begin) over (
            partition by catalogue, provider, model_name, rate_key order by from_ordinal
        ) as run_number
    from compared
),

runs as (
    select
        catalogue,
        provider,
        model_name,
        rate_key,
        run_number,
        max(case when is_begin = 1 then load_id end) as load_id,
        max(rate_usd_per_unit) as rate_usd_per_unit,
        min(from_ordinal) as from_ordinal,
        case when count(end_ordinal) = count(*) then max(end_ordinal) end as end_ordinal
    from numbered
    group by catalogue, provider, model_name, rate_key, run_number
)

select
    runs.catalogue,
    concat(runs.provider, '/', runs.model_name) as price_key,
    runs.provider,
    runs.model_name,
    runs.rate_key,
    runs.load_id,
    runs.rate_usd_per_unit,
    begins.observed_at,
    ends.observed_at as superseded_at
from runs
inner join files as begins
    on runs.catalogue = begins.catalogue
    and runs.from_ordinal = begins.ordinal
left join files as ends
    on runs.catalogue = ends.catalogue
    and runs.end_ordinal = ends.ordinal
where ends.observed_at is null or begins.observed_at < ends.observed_at
