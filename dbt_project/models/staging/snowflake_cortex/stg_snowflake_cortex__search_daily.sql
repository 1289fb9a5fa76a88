-- one row per version of a day of a search service, as credits and, where it counts any, as tokens, which are all input.
-- Embedding is left out where AI functions tell it too: since their view begins
with source as (
    select * from {{ raw_rows('snowflake_cortex', 'search_daily') }}
),

acts as (
    select
        concat(
            source.account, ':CORTEX_SEARCH_DAILY_USAGE_HISTORY:', cast({{ utc('source.started_at') }} as {{ dbt.type_string() }}), ':',
            source.service_id, ':', source.consumption_type, ':', coalesce(source.model_name, '')
        ) as act_id,
        source.source_instance,
        {{ utc('source.started_at') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        source.account as raw_organization,
        {{ utc('source.started_at') }} as period_start_at,
        {{ dbt.dateadd('day', 1, utc('source.started_at')) }} as period_end_at,
        'aggregate' as fidelity,
        'bucket' as usage_origin,
        cast(null as {{ dbt.type_string() }}) as service_type,
        nullif(source.model_name, '') as model_name,
        case when source.consumption_type like '%EMBED%' then 'embeddings' else 'search' end as operation,
        'ok' as status,
        concat(source.database_name, '.', source.schema_name, '.', source.service_name) as raw_application,
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
    where source.consumption_type not like '%EMBED%'
        or {{ utc('source.started_at') }} < timestamp '2026-01-05 00:00:00'
),

{{ snowflake_events(['credits', 'tokens']) }}

select
    {{ snowflake_standard_event(given=['period_start_at', 'period_end_at', 'raw_application']) }}
from events
