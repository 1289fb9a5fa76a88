-- one row per suggestion: an unknown identifier and the node it looks like, with what is unattributed because of it
with suggestions as (
    select * from {{ ref('int_org__suggestions') }}
),

unattributed as (
    select
        suggestion_id,
        sum(request_count) as request_count,
        sum(effective_cost_usd) as effective_cost_usd,
        sum(estimated_cost_usd) as estimated_cost_usd
    from {{ ref('fct_unattributed_usage') }}
    where suggestion_id is not null
    group by suggestion_id
)

select
    suggestions.suggestion_id,
    suggestions.source_instance,
    suggestions.dimension,
    suggestions.field,
    suggestions.field_value,
    suggestions.suggested_key,
    suggestions.reason,
    cast(coalesce(unattributed.request_count, 0) as bigint) as request_count,
    {{ money('coalesce(unattributed.effective_cost_usd, 0)') }} as effective_cost_usd,
    {{ money('coalesce(unattributed.estimated_cost_usd, 0)') }} as estimated_cost_usd
from suggestions
left join unattributed
    on suggestions.suggestion_id = unattributed.suggestion_id
