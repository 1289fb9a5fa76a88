-- one row per version of an hour of a user of Cortex Analyst: as credits and as requests; it counts no tokens
with source as (
    select * from {{ raw_rows('snowflake_cortex', 'analyst') }}
),

acts as (
    select
        concat(
            source.account, ':CORTEX_ANALYST_USAGE_HISTORY:', cast({{ utc('source.started_at') }} as {{ dbt.type_string() }}), ':', source.user_name
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
        cast(null as {{ dbt.type_string() }}) as model_name,
        'chat' as operation,
        'ok' as status,
        coalesce(source.user_email, source.user_name) as raw_user,
        source.credits,
        'requests' as other_unit,
        {{ money('source.request_count') }} as other_quantity,
        source.row_hash,
        source.load_id,
        source.source_locator
    from source
),

{{ snowflake_events(['credits', 'units']) }}

select
    {{ snowflake_standard_event(given=['period_start_at', 'period_end_at', 'raw_user']) }}
from events
