-- one row per pass, day, place, source, provider, model and reason for which totals moved
with restated as (
    select * from {{ ref('int_usage__restated') }}
)

select
    pass_id,
    usage_on,
    entity_key,
    customer_key,
    source_instance,
    provider,
    model_id,
    reason,

    effective_cost_usd,
    total_tokens,
    requests_count
from restated
where usage_on is not null
