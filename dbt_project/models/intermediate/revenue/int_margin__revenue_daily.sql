-- one row per UTC day, customer and feature (null: none named): what the day earned. A line is spread over its days so
-- that they are its amount to the last digit; dollars are those of each day's rate, null where a line's day has none
with lines as (
    select * from {{ ref('stg_revenue__lines') }}
),

days as (
    select * from {{ ref('int_charges__days') }}
),

nodes as (
    select * from {{ ref('int_org__nodes') }}
    where tree = 'customer'
),

features as (
    select * from {{ ref('stg_config__features') }}
),

fx_rates as (
    select * from {{ ref('stg_config__fx_rates') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

unattributed as (
    select entity_key from nodes
    where entity_type = 'unattributed'
),

counted as (
    select
        lines.*,
        {{ dbt.datediff('lines.period_start_on', 'lines.period_end_on', 'day') }} as days_count
    from lines
),

numbered as (
    select
        counted.*,
        days.day_on,
        {{ dbt.datediff('counted.period_start_on', 'days.day_on', 'day') }} + 1 as day_number
    from counted
    inner join days
        on days.day_on >= counted.period_start_on
        and days.day_on < counted.period_end_on
    cross join current_pass
    where days.day_on <= cast(current_pass.as_of as date)
),

spread as (
    select
        *,
        {{ allocate_usd('revenue_amount', '1', 'day_number', 'days_count') }} as day_amount,
        {{ allocate_usd('revenue_amount', 'day_number', 'day_number', 'days_count') }} as reached_amount
    from numbered
),

-- Converted as it grows, so that a period of one rate is exact in dollars as well.
converted as (
    select
        spread.day_on,
        coalesce(nodes.entity_key, unattributed.entity_key) as customer_key,
        features.feature_key,
        {{ to_usd('spread.reached_amount', 'spread.currency_code', 'fx_rates.usd_per_unit') }}
        - {{ to_usd('spread.reached_amount - spread.day_amount', 'spread.currency_code', 'fx_rates.usd_per_unit') }}
            as revenue_usd
    from spread
    cross join unattributed
    left join nodes
        on spread.raw_customer = nodes.entity_key
    left join features
        on spread.raw_feature = features.feature_key
    left join fx_rates
        on spread.currency_code = fx_rates.currency_code
        and spread.day_on >= fx_rates.valid_from_on
        and (spread.day_on < fx_rates.valid_to_on or fx_rates.valid_to_on is null)
)

select
    day_on as revenue_on,
    customer_key,
    feature_key,

    cast(count(*) as bigint) as lines_count,
    cast(count(*) - count(revenue_usd) as bigint) as unpriced_lines_count,
    case when count(revenue_usd) = count(*) then {{ money('sum(revenue_usd)') }} end as revenue_usd
from converted
group by
    day_on,
    customer_key,
    feature_key
