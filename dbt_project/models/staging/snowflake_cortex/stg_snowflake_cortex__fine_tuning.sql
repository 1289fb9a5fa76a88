-- one row per version of an hour of fine-tuning, as credits and as trained tokens, which are all input
with source as (
    select * from {{ raw_rows('snowflake_cortex', 'fine_tuning') }}
),

acts as (
    select
        concat(
            source.account, ':CORTEX_FINE_TUNING_USAGE_HISTORY:', cast({{ utc('source.started_at') }} as {{ dbt.type_string() }}), ':',
            coalesce(source.model_name, ''), ':', coalesce(source.warehouse_id, '')
        ) as act_id,
        source.source_instance,
        {{ utc('source.started_at') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        source.account as raw_organization,
        {{ utc('source.started_at') }} as period_start_at,
        {{ utc('source.ended_at') }} as period_end_at,
        'aggregate' as fidelity,
        'bucket' as usage_origin,
        'AI_SERVICES' as service_type,
        nullif(source.model_name, '') as model_name,
        'fine_tuning' as operation,
        'ok' as status,
        source.credits,
        source.tokens as counted_input,
        cast(null as bigint) as counted_cache_read,
        cast(null as bigint) as counted_cache_write,
        cast(null as bigint) as counted_output,
        cast(null as bigint) as misplaced_tokens,
        source.row_hash,
        source.load_id,
        source.source_locator
    from source
),

{{ snowflake_events(['credits', 'tokens']) }}

select
    {{ snowflake_standard_event(given=['period_start_at', 'period_end_at']) }}
from events
