-- one row per price version that changed a price in force: rates before and after, and its worth over the last 30 days
{% set meters = [
    'input', 'output', 'reasoning', 'cache_read', 'cache_write_5m', 'cache_write_30m', 'cache_write_1h', 'cache_write_12h',
] %}
with changed as (
    select * from {{ ref('int_prices__changed') }}
),

prices as (
    select * from {{ ref('price_resolved') }}
    where service_tier = 'standard'
        and band_lo = -1
),

by_name as (
    select * from {{ ref('int_prices__rates_by_name') }}
),

cells as (
    select * from {{ ref('int_what_if__usage') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

sides as (
    select price_version_key from changed
    union
    select previous_version_key as price_version_key from changed
),

-- Of a price by the hour the dearest.
shown as (
    select
        price_version_key,
        {% for meter in meters -%}
        max(r_{{ meter }}) as r_{{ meter }}{{ ',' if not loop.last }}
        {% endfor %}
    from prices
    group by price_version_key
),

-- Spellings of a provider, and stretches of time in which a name meant the same, have equal rates.
named as (
    select
        by_name.canonical_provider, by_name.model_name, by_name.region, by_name.price_version_key,
        by_name.service_tier, by_name.band_lo, by_name.band_hi, by_name.week_minute_from, by_name.week_minute_to,
        {% for line in resolved_lines() -%}
        max(by_name.r_{{ line }}) as r_{{ line }}{{ ',' if not loop.last }}
        {% endfor %}
    from by_name
    inner join sides
        on by_name.price_version_key = sides.price_version_key
    group by
        by_name.canonical_provider, by_name.model_name, by_name.region, by_name.price_version_key,
        by_name.service_tier, by_name.band_lo, by_name.band_hi, by_name.week_minute_from, by_name.week_minute_to
),

-- The same tokens at both versions, whichever held when they were used.
repriced as (
    select
        changed.price_version_key,
        cells.requests_count,
        {% for side in ['before', 'after'] -%}
        {% for kind in token_kinds() -%}
        case when cells.{{ kind }}_tokens = 0 then 0 else {{ money('cells.' ~ kind ~ '_tokens * ' ~ side ~ '.r_' ~ kind) }} end +
        {% endfor -%}
        coalesce({{ money('cells.requests_count * ' ~ side ~ '.r_request') }}, 0) as {{ side }}_usd{{ ',' if not loop.last }}
        {% endfor %}
    from changed
    inner join cells
        on changed.price_key = cells.model_id
    inner join current_pass
        on cells.usage_on > {{ dbt.dateadd('day', -30, 'cast(current_pass.as_of as date)') }}
        and cells.usage_on <= cast(current_pass.as_of as date)
    {% for side, version in [('before', 'previous_version_key'), ('after', 'price_version_key')] -%}
    left join named as {{ side }}
        on changed.{{ version }} = {{ side }}.price_version_key
        and coalesce(cells.provider, '') = coalesce({{ side }}.canonical_provider, '')
        and cells.model_name = {{ side }}.model_name
        and cells.region = {{ side }}.region
        and cells.service_tier = {{ side }}.service_tier
        and cells.more_than_input_tokens >= {{ side }}.band_lo
        and cells.more_than_input_tokens < {{ side }}.band_hi
        and cells.week_minute >= {{ side }}.week_minute_from
        and cells.week_minute < {{ side }}.week_minute_to
    {% endfor %}
),

impacts as (
    select
        price_version_key,
        sum(requests_count) as requests_count,
        sum(case when before_usd is null or after_usd is null then requests_count else 0 end)
            as incomparable_requests_count,
        sum(case when after_usd is not null then before_usd end) as before_usd,
        sum(case when before_usd is not null then after_usd end) as after_usd
    from repriced
    group by price_version_key
),

compared as (
    select
        changed.*,
        {% for meter in meters -%}
        old_rates.r_{{ meter }} as old_{{ meter }}_usd_per_unit,
        new_rates.r_{{ meter }} as new_{{ meter }}_usd_per_unit,
        {% endfor -%}
        {% for word, sign in [('raised', '>'), ('lowered', '<')] -%}
        {% for meter in meters -%}
        case when new_rates.r_{{ meter }} {{ sign }} old_rates.r_{{ meter }} then 1 else 0 end
        {{- ' +' if not loop.last }}
        {% endfor -%}
        as {{ word }}_count{{ ',' if not loop.last }}
        {% endfor %}
    from changed
    left join shown as old_rates
        on changed.previous_version_key = old_rates.price_version_key
    left join shown as new_rates
        on changed.price_version_key = new_rates.price_version_key
)

select
    compared.price_version_key,
    compared.price_key,
    compared.provider,
    compared.model_name,
    case
        when compared.raised_count > 0 and compared.lowered_count > 0 then 'mixed'
        when compared.raised_count > 0 then 'raised'
        when compared.lowered_count > 0 then 'lowered'
        else 'other'
    end as direction,
    {% for meter in meters -%}
    compared.old_{{ meter }}_usd_per_unit,
    compared.new_{{ meter }}_usd_per_unit,
    {% endfor -%}
    compared.valid_from_at,
    compared.observed_at,
    compared.known_at,

    cast(coalesce(impacts.requests_count, 0) as bigint) as requests_count,
    cast(coalesce(impacts.incomparable_requests_count, 0) as bigint) as incomparable_requests_count,
    {{ money('coalesce(impacts.before_usd, 0)') }} as old_list_cost_usd,
    {{ money('coalesce(impacts.after_usd, 0)') }} as new_list_cost_usd,
    {{ money('coalesce(impacts.after_usd - impacts.before_usd, 0)') }} as impact_usd
from compared
left join impacts
    on compared.price_version_key = impacts.price_version_key
