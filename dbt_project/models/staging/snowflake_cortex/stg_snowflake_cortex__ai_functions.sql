-- one row per version of an hour of a query that calls an AI function: as credits, as tokens, as pages. METRICS count
-- disjointly. An hour grows until its query is completed
with source as (
    select * from {{ raw_rows('snowflake_cortex', 'ai_functions') }}
),

acts as (
    select
        concat(
            source.account, ':CORTEX_AI_FUNCTIONS_USAGE_HISTORY:', cast({{ utc('source.started_at') }} as {{ dbt.type_string() }}), ':',
            source.query_id, ':', source.function_name, ':', coalesce(source.model_name, ''), ':',
            coalesce(source.warehouse_id, '')
        ) as act_id,
        source.source_instance,
        {{ utc('source.started_at') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        source.account as raw_organization,
        {{ utc('source.started_at') }} as period_start_at,
        {{ utc('source.ended_at') }} as period_end_at,
        'aggregate' as fidelity,
        'bucket' as usage_origin,
        'AI_FUNCTIONS' as service_type,
        source.query_id as trace_id,
        nullif(source.model_name, '') as model_name,
        case
            when source.function_name like '%EMBED%' then 'embeddings'
            when source.function_name like '%COMPLETE' then 'chat'
            else lower(source.function_name)
        end as operation,
        'ok' as status,
        coalesce(
            {{ json_text('source.tags', 'team') }}, source.role_name
        ) as raw_team,
        coalesce(
            {{ json_text('source.tags', 'user') }},
            source.user_email, source.user_name, source.user_id
        ) as raw_user,
        coalesce(
            {{ json_text('source.tags', 'customer') }}, {{ json_text('source.tags', 'customer_id') }}
        ) as raw_customer,
        {{ json_text('source.tags', 'agent') }} as raw_agent,
        coalesce(
            {{ json_text('source.tags', 'application') }}, {{ json_text('source.tags', 'app') }}
        ) as raw_application,
        {{ json_text('source.tags', 'feature') }} as raw_feature,
        source.tags,
        source.credits,
        source.input_tokens as counted_input,
        source.cache_read_tokens as counted_cache_read,
        source.cache_write_tokens as counted_cache_write,
        source.output_tokens as counted_output,
        -- No total is told: what a metric counts that no bucket is for.
        nullif(source.misplaced_tokens, 0) as misplaced_tokens,
        source.other_unit,
        source.other_quantity,
        source.row_hash,
        source.load_id,
        source.source_locator
    from source
),

{{ snowflake_events(['credits', 'tokens', 'units']) }}

select
    {{ snowflake_standard_event(given=[
        'trace_id', 'period_start_at', 'period_end_at', 'raw_team', 'raw_user', 'raw_customer',
        'raw_agent', 'raw_application', 'raw_feature', 'tags',
    ]) }}
from events
