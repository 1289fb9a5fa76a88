-- one row per catalogued model, meter, size and range of time: what a second source says the rate is
{{ config(materialized='table') }}

with runs as (
    select * from {{ ref('int_prices__rate_runs') }}
    where rate_key = 'listing'
),

opinions as (
    select * from {{ ref('stg_price_catalog__opinions') }}
),

-- The same two steps as names in usage: the name itself, then without a date. No prefix, no `contains`.
listed as (
    select
        catalogue,
        price_key,
        provider,
        model_name,
        regexp_replace(
            regexp_replace(model_name, '-v1:0$', ''),
            concat(
                '(-20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])',
                '|[-@]20[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01]))$'
            ),
            ''
        ) as undated_name,
        min(observed_at) as first_observed_at
    from runs
    group by catalogue, price_key, provider, model_name
),

-- Of catalogues that list one model the first one's first price is what a memory is compared with.
first_listed as (
    select
        *,
        row_number() over (
            partition by price_key
            order by
                first_observed_at,
                case when catalogue = '{{ base_catalogue() }}' then 0 else 1 end
        ) as listing_rank
    from listed
),

named as (
    select provider, model_name
    from opinions
    group by provider, model_name
),

matched as (
    select
        first_listed.*,
        coalesce(exact.model_name, undated.model_name) as opinion_name
    from first_listed
    left join named as exact
        on first_listed.provider = exact.provider
        and first_listed.model_name = exact.model_name
    left join named as undated
        on first_listed.provider = undated.provider
        and first_listed.undated_name = undated.model_name
    where first_listed.listing_rank = 1
        and coalesce(exact.model_name, undated.model_name) is not null
),

-- A day on which any rate of a model changes opens a period of all of them.
periods as (
    select
        provider,
        model_name,
        valid_from_at,
        lead(valid_from_at) over (
            partition by provider, model_name order by valid_from_at
        ) as valid_to_at
    from (
        select provider, model_name, valid_from_at
        from opinions
        group by provider, model_name, valid_from_at
    ) as starts
)

select
    matched.catalogue,
    matched.price_key,
    matched.provider,
    matched.model_name,
    matched.first_observed_at,
    opinions.load_id,
    opinions.snapshot_id,
    opinions.meter,
    opinions.min_input_tokens,
    opinions.rate_usd_per_unit,
    periods.valid_from_at,
    periods.valid_to_at,
    opinions.observed_at
from matched
inner join opinions
    on matched.provider = opinions.provider
    and matched.opinion_name = opinions.model_name
inner join periods
    on opinions.provider = periods.provider
    and opinions.model_name = periods.model_name
    and opinions.valid_from_at = periods.valid_from_at
