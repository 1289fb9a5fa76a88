-- one row per version of a model's part of a request to an agent, as credits and as tokens. TOKENS_GRANULAR's four kinds are disjoint, output includes reasoning.
-- A child request is a row of its own; warehouse credits of its queries stay out
with source as (
    select * from {{ restated_rows('snowflake_cortex', 'agent', ['request_id', 'model_name']) }}
),

acts as (
    select
        concat(
            source.account, ':CORTEX_AGENT_USAGE_HISTORY:', source.request_id, ':',
            coalesce(source.model_name, '')
        ) as act_id,
        'CORTEX_AGENTS' as service_type,
        'agent_action' as operation,
        coalesce(source.parent_request_id, source.request_id) as trace_id,
        {{ milliseconds_between('source.started_at', 'source.ended_at') }} as latency_ms,
        coalesce(
            {{ json_text('source.tags', 'team') }},
            {{ json_text('source.tags', 'cost_center') }},
            source.role_name
        ) as raw_team,
        source.agent as raw_agent,
        source.interface as raw_application,
        source.tags,
        {{ snowflake_request_columns() }}
    from source
),

{{ snowflake_events(['credits', 'tokens']) }}

select
    {{ snowflake_standard_event(given=[
        'request_id', 'trace_id', 'latency_ms', 'raw_team', 'raw_user', 'raw_agent',
        'raw_application', 'tags', 'is_removed',
    ]) }}
from events
