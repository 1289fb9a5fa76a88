-- one row per price version that changed a price in force and owner entity: its use of the last 30 days at both prices
with changed as (
    select * from {{ ref('int_prices__changed') }}
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
        cells.entity_key,
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
)

select
    price_version_key,
    entity_key,
    cast(sum(requests_count) as bigint) as requests_count,
    cast(sum(case when before_usd is null or after_usd is null then requests_count else 0 end) as bigint)
        as incomparable_requests_count,
    {{ money('coalesce(sum(case when after_usd is not null then before_usd end), 0)') }} as old_list_cost_usd,
    {{ money('coalesce(sum(case when before_usd is not null then after_usd end), 0)') }} as new_list_cost_usd
from repriced
group by
    price_version_key,
    entity_key
