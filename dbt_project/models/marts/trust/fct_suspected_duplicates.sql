-- one row per pair of acts of two sources that look like one request though no id joins them; both carry their cost
with near_matched as (
    select * from {{ ref('int_usage__near_matched') }}
    where usage_key is not null
)

select
    usage_key,
    other_usage_key,
    usage_on,
    source_instance,
    other_source_instance,
    occurred_at,
    base_model,
    total_input_tokens,
    total_output_tokens,
    apart_ms,
    -- One request could be any of so many.
    {{ ratio(1, 'candidates_count') }} as confidence_ratio,
    {{ money('effective_cost_usd') }} as effective_cost_usd,
    {{ money('other_effective_cost_usd') }} as other_effective_cost_usd
from near_matched
