-- one row per UTC day, source instance, tree, and the identifier that no rule knows
with usage_events as (
    select * from {{ ref('fct_usage') }}
),

nodes as (
    select * from {{ ref('int_org__nodes') }}
    where entity_type = 'unattributed'
),

identity_fields as (
    select * from {{ ref('int_org__identity_fields') }}
),

suggestions as (
    select * from {{ ref('int_org__suggestions') }}
),

unplaced as (
    select usage_events.*, nodes.tree as dimension
    from usage_events
    inner join nodes
        on usage_events.entity_key = nodes.entity_key and nodes.tree = 'owner'
    union all
    select usage_events.*, nodes.tree as dimension
    from usage_events
    inner join nodes
        on usage_events.customer_key = nodes.entity_key and nodes.tree = 'customer'
),

identified as (
    select
        usage_on,
        source_instance,
        dimension,
        {{ identity_key() }} as identity_key,
        is_informational,
        total_tokens,
        effective_cost_usd,
        estimated_cost_usd
    from unplaced
),

daily as (
    select
        usage_on,
        source_instance,
        dimension,
        identity_key,
        sum(case when is_informational then 0 else 1 end) as request_count,
        sum(total_tokens) as total_tokens,
        sum(effective_cost_usd) as effective_cost_usd,
        sum(estimated_cost_usd) as estimated_cost_usd
    from identified
    group by
        usage_on,
        source_instance,
        dimension,
        identity_key
),

ranked_fields as (
    -- Of several identifiers the one that the source names first stands for the event.
    select
        identity_fields.*,
        row_number() over (
            partition by identity_key, dimension order by field_position
        ) as field_rank
    from identity_fields
),

named as (
    select
        daily.*,
        ranked_fields.field,
        ranked_fields.field_value
    from daily
    left join ranked_fields
        on daily.identity_key = ranked_fields.identity_key
        and daily.dimension = ranked_fields.dimension
        and ranked_fields.field_rank = 1
),

summed as (
    select
        usage_on,
        source_instance,
        dimension,
        field,
        field_value,
        sum(request_count) as request_count,
        sum(total_tokens) as total_tokens,
        sum(effective_cost_usd) as effective_cost_usd,
        sum(estimated_cost_usd) as estimated_cost_usd
    from named
    group by
        usage_on,
        source_instance,
        dimension,
        field,
        field_value
)

select
    summed.usage_on,
    summed.source_instance,
    summed.dimension,
    summed.field,
    summed.field_value,
    suggestions.suggestion,
    suggestions.suggestion_id,
    suggestions.suggested_key,
    cast(summed.request_count as bigint) as request_count,
    cast(summed.total_tokens as bigint) as total_tokens,
    {{ money('summed.effective_cost_usd') }} as effective_cost_usd,
    {{ money('summed.estimated_cost_usd') }} as estimated_cost_usd
from summed
left join suggestions
    on summed.source_instance = suggestions.source_instance
    and summed.dimension = suggestions.dimension
    and summed.field = suggestions.field
    and summed.field_value = suggestions.field_value
