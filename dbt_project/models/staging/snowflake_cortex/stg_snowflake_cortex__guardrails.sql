-- one row per version of a model's part of a guardrail's scan, as credits and as tokens. TOKENS_GRANULAR's four kinds are disjoint, output includes reasoning
with source as (
    select * from {{ restated_rows('snowflake_cortex', 'guardrails', ['request_id', 'scan_id', 'model_name']) }}
),

acts as (
    select
        concat(
            source.account, ':CORTEX_AI_GUARDRAILS_USAGE_HISTORY:', source.request_id, ':',
            source.scan_id, ':',
            coalesce(source.model_name, '')
        ) as act_id,
        cast(null as {{ dbt.type_string() }}) as service_type,
        'agent_action' as operation,
        coalesce(source.parent_request_id, source.request_id) as trace_id,
        coalesce(
            {{ json_text('source.tags', 'team') }},
            {{ json_text('source.tags', 'cost_center') }},
            source.role_name
        ) as raw_team,
        source.interface as raw_application,
        source.tags,
        {{ snowflake_request_columns() }}
    from source
),

{{ snowflake_events(['credits', 'tokens']) }}

select
    {{ snowflake_standard_event(given=[
        'request_id', 'trace_id', 'raw_team', 'raw_user', 'raw_application', 'tags', 'is_removed',
    ]) }}
from events
