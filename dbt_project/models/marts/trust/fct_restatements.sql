-- one row per pass, day, place, source, provider, model and reason for which totals moved
{% set dimensions = [
    'pass_id', 'usage_on', 'entity_key', 'customer_key', 'source_instance', 'provider', 'model_id', 'reason',
] %}
with restated as (
    select * from {{ ref('int_usage__restated') }}
)

select
    {{ dimensions | join(',\n    ') }},

    {{ money('sum(effective_cost_usd)') }} as effective_cost_usd,
    cast(sum(total_tokens) as bigint) as total_tokens,
    cast(sum(requests_count) as bigint) as requests_count
from restated
where usage_on is not null
group by
    {{ dimensions | join(',\n    ') }}
having sum(effective_cost_usd) <> 0
    or sum(total_tokens) <> 0
    or sum(requests_count) <> 0
