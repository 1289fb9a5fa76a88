-- one row per price version that changed a price in force: rates before and after, and its worth over the last 30 days
{% set meters = [
    'input', 'output', 'reasoning', 'cache_read', 'cache_write_5m', 'cache_write_30m', 'cache_write_1h', 'cache_write_12h',
] %}
with changed as (
    select * from {{ ref('int_prices__changed') }}
),

valued as (
    select * from {{ ref('int_price_changes__valued') }}
),

prices as (
    select * from {{ ref('price_resolved') }}
    where service_tier = 'standard'
        and band_lo = -1
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

impacts as (
    select
        price_version_key,
        sum(requests_count) as requests_count,
        sum(incomparable_requests_count) as incomparable_requests_count,
        sum(old_list_cost_usd) as before_usd,
        sum(new_list_cost_usd) as after_usd
    from valued
    group by price_version_key
),

-- Whom it costs or saves most, of the nodes that the use is booked on.
ranked as (
    select
        price_version_key,
        entity_key,
        concat(
            '{"entity":', {{ json_quote('entity_key') }},
            ',"impact":"', cast({{ money('new_list_cost_usd - old_list_cost_usd') }} as {{ dbt.type_string() }}), '"}'
        ) as impact_json,
        row_number() over (
            partition by price_version_key
            order by abs(new_list_cost_usd - old_list_cost_usd) desc, entity_key
        ) as entity_rank
    from valued
    where new_list_cost_usd <> old_list_cost_usd
),

top_entities as (
    select
        price_version_key,
        concat(
            '[',
            {{ dbt.listagg('impact_json', "','", 'order by entity_rank') }},
            ']'
        ) as top_entities_json
    from ranked
    where entity_rank <= 5
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
    {{ money('coalesce(impacts.after_usd - impacts.before_usd, 0)') }} as impact_usd,
    coalesce(top_entities.top_entities_json, '[]') as top_entities_json
from compared
left join impacts
    on compared.price_version_key = impacts.price_version_key
left join top_entities
    on compared.price_version_key = top_entities.price_version_key
