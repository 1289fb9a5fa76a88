-- one row per version of a billed interval of provisioned throughput, as credits; it counts no tokens
with source as (
    select * from {{ raw_rows('snowflake_cortex', 'provisioned_throughput') }}
),

acts as (
    select
        concat(
            source.account, ':CORTEX_PROVISIONED_THROUGHPUT_USAGE_HISTORY:', cast({{ utc('source.started_at') }} as {{ dbt.type_string() }}), ':',
            source.provisioned_throughput_id
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
        'provisioned_throughput' as operation,
        'ok' as status,
        source.credits,
        source.row_hash,
        source.load_id,
        source.source_locator
    from source
),

{{ snowflake_events(['credits']) }}

select
    {{ snowflake_standard_event(given=['period_start_at', 'period_end_at']) }}
from events
