-- one row per source instance, unit, name and unbroken run of equal rates of the source's own contract or price list, and
-- rate of exchange. Where that is not known the rate is there without dollars: no other rate may stand in for it
with fx_rates as (
    select
        currency_code,
        usd_per_unit,
        cast(valid_from_on as timestamp) as valid_from_at,
        coalesce(cast(valid_to_on as timestamp), timestamp '9999-12-31 00:00:00') as valid_to_at
    from {{ ref('stg_config__fx_rates') }}
),

runs as (
    select * from {{ ref('int_prices__contract_runs') }}
),

fx_instants as (
    select currency_code, valid_from_at as changes_at from fx_rates
    union
    select currency_code, valid_to_at as changes_at from fx_rates
),

cuts as (
    select run_key, valid_from_at as cut_at from runs
    union
    select
        runs.run_key,
        fx_instants.changes_at as cut_at
    from runs
    inner join fx_instants
        on runs.currency_code = fx_instants.currency_code
        and runs.valid_from_at < fx_instants.changes_at
        and runs.valid_to_at > fx_instants.changes_at
),

segments as (
    select
        run_key,
        cut_at,
        lead(cut_at) over (partition by run_key order by cut_at) as next_cut_at
    from cuts
),

in_dollars as (
    select
        runs.*,
        {{ to_usd('runs.rate_amount', 'runs.currency_code', 'fx_rates.usd_per_unit') }} as rate_usd,
        segments.cut_at,
        segments.next_cut_at
    from runs
    inner join segments
        on runs.run_key = segments.run_key
    left join fx_rates
        on runs.currency_code = fx_rates.currency_code
        and segments.cut_at >= fx_rates.valid_from_at
        and segments.cut_at < fx_rates.valid_to_at
)

select
    source_instance,
    source,
    unit,
    service_tier,
    model_name,
    rate_name,
    currency_code,
    case when rate_usd < 1000 then cast(rate_usd as decimal(18, 15)) end as rate_usd_per_unit,
    cut_at as valid_from_at,
    coalesce(next_cut_at, valid_to_at) as valid_to_at
from in_dollars
