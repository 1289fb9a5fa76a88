-- one row per version of a model's part of a call through the AI gateway, as credits and as tokens. Its counts have no
-- cache; whether output includes reasoning is not told
with source as (
    select * from {{ restated_rows('snowflake_cortex', 'ai_gateway', ['request_id', 'model_name']) }}
),

acts as (
    select
        concat(
            source.account, ':AI_GATEWAY_USAGE_HISTORY:', source.request_id, ':',
            coalesce(source.model_name, '')
        ) as act_id,
        coalesce(source.service_type, 'AI_INFERENCE') as service_type,
        case when source.model_name like '%embed%' then 'embeddings' else 'chat' end as operation,
        {{ milliseconds_between('source.started_at', 'source.ended_at') }} as latency_ms,
        -- The name may change, the id does not.
        coalesce(source.gateway_id, source.gateway_name) as raw_workspace,
        {{ snowflake_request_columns() }}
    from source
),

{{ snowflake_events(['credits', 'tokens']) }}

select
    {{ snowflake_standard_event(given=[
        'request_id', 'latency_ms', 'raw_user', 'raw_workspace', 'is_removed',
    ]) }}
from events
