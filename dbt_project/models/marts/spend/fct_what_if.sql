-- one row per month, owner entity, model and scenario: own traffic at its list price and at the scenario's. Money is tokens
-- times rate for each kind, so the rates of a kind that was not used need not exist
with rated as (
    select * from {{ ref('int_what_if__rates') }}
),

compared as (
    select
        cast({{ dbt.date_trunc('month', 'usage_on') }} as date) as month_start_on,
        entity_key,
        provider,
        model_id,
        scenario,
        target_model_id,
        requests_count,
        list_cost_usd,
        {% for kind in token_kinds() -%}
        {{ kind }}_tokens{{ ' + ' if not loop.last }}
        {%- endfor %} as total_tokens,
        {% for kind in token_kinds() -%}
        case when {{ kind }}_tokens = 0 then 0 else {{ money(kind ~ '_tokens * r_' ~ kind) }} end
        {{- ' + ' if not loop.last }}
        {% endfor %} as what_if_cost_usd,
        case when scenario = 'without_caching' then {{ money('cache_read_tokens * r_input') }} end
            as uncached_read_usd,
        case
            when scenario = 'without_caching'
                then
                    {{ money('cache_write_5m_tokens * r_input') }} + {{ money('cache_write_30m_tokens * r_input') }}
                    + {{ money('cache_write_1h_tokens * r_input') }} + {{ money('cache_write_12h_tokens * r_input') }}
        end as uncached_write_usd,
        cached_read_usd,
        cached_write_usd
    from rated
)

select
    month_start_on,
    entity_key,
    provider,
    model_id,
    scenario,
    target_model_id,

    cast(sum(requests_count) as bigint) as requests_count,
    cast(sum(total_tokens) as bigint) as total_tokens,
    cast(sum(case when what_if_cost_usd is null then requests_count else 0 end) as bigint)
        as incomparable_requests_count,

    {{ money('coalesce(sum(case when what_if_cost_usd is not null then list_cost_usd end), 0)') }} as list_cost_usd,
    {{ money('coalesce(sum(what_if_cost_usd), 0)') }} as what_if_cost_usd,
    {{ money('coalesce(sum(what_if_cost_usd - list_cost_usd), 0)') }} as difference_usd,
    {{ money('sum(uncached_read_usd - cached_read_usd)') }} as cache_read_saving_usd,
    {{ money('sum(cached_write_usd - uncached_write_usd)') }} as cache_write_premium_usd
from compared
group by
    month_start_on,
    entity_key,
    provider,
    model_id,
    scenario,
    target_model_id
