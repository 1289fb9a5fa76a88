-- one row per UTC day, owner entity, model as named and matched, price version, service tier, size of request and time
-- of week: list-priced tokens, summed as finely as any model's price can tell requests apart. A request's size decides its
-- rate (pricing.md R05), so sizes are told apart at every threshold that any model has
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook='{{ delete_touched_days() }}',
) }}
{% set dimensions = [
    'usage_on', 'entity_key', 'provider', 'model_name', 'region', 'model_id', 'price_version_key', 'service_tier',
    'more_than_input_tokens', 'week_minute',
] %}
with usage_events as (
    select
        *,
        coalesce(model_served, model_requested, '') as model_name,
        coalesce(total_input_tokens, 0) as sized_tokens
    from {{ ref('fct_usage') }}
    where {{ touched_days_filter('usage_on') }}
        and is_costed
        and price_status <> 'not_charged'
        and list_cost_usd is not null
        and total_tokens > 0
        and price_version_key is not null
),

prices as (
    select * from {{ ref('price_resolved') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

thresholds as (
    select band_lo from prices
    group by band_lo
),

sizes as (
    select
        band_lo,
        coalesce(lead(band_lo) over (order by band_lo), 9223372036854775807) as band_hi
    from thresholds
),

-- Few models have a price by the hour: the others' traffic is not told apart by it.
timed as (
    select price_key from {{ ref('int_prices__rates_by_name') }}
    where week_minute_from > 0
    group by price_key
),

placed as (
    select
        usage_events.usage_on,
        usage_events.entity_key,
        usage_events.provider,
        usage_events.model_name,
        coalesce(usage_events.region, '') as region,
        usage_events.model_id,
        usage_events.price_version_key,
        {{ price_tier('usage_events.service_tier') }} as service_tier,
        sizes.band_lo as more_than_input_tokens,
        -- Noon of a Monday stands for a time that does not matter.
        case
            when timed.price_key is null then 720
            else {{ week_minute('usage_events.occurred_at') }}
        end as week_minute,
        {% for kind in token_kinds() -%}
        usage_events.{{ kind }}_tokens,
        {% endfor -%}
        {% for kind in token_kinds() -%}
        usage_events.list_{{ kind }}_cost_usd
        {%- if not loop.last %} + {% endif %}
        {%- endfor %} as list_cost_usd,
        usage_events.list_cache_read_cost_usd as cached_read_usd,
        usage_events.list_cache_write_5m_cost_usd + usage_events.list_cache_write_30m_cost_usd
        + usage_events.list_cache_write_1h_cost_usd + usage_events.list_cache_write_12h_cost_usd as cached_write_usd
    from usage_events
    inner join sizes
        on usage_events.sized_tokens > sizes.band_lo
        and usage_events.sized_tokens <= sizes.band_hi
    left join timed
        on usage_events.model_id = timed.price_key
)

select
    {% for dimension in dimensions -%}
    placed.{{ dimension }},
    {% endfor -%}
    count(*) as requests_count,
    {% for kind in token_kinds() -%}
    cast(sum(placed.{{ kind }}_tokens) as bigint) as {{ kind }}_tokens,
    {% endfor -%}
    {{ money('sum(placed.list_cost_usd)') }} as list_cost_usd,
    {{ money('sum(placed.cached_read_usd)') }} as cached_read_usd,
    {{ money('sum(placed.cached_write_usd)') }} as cached_write_usd,
    current_pass.pass_id
from placed
cross join current_pass
group by
    {% for dimension in dimensions -%}
    placed.{{ dimension }},
    {% endfor -%}
    current_pass.pass_id
