-- one row per version of a request to a serving endpoint, as read: totals only, which may be estimated from text lengths
with source as (
    select *
    from {{ restated_rows('databricks', 'endpoint_usage', [
        'workspace_id', 'databricks_request_id', 'served_entity_id',
    ]) }}
),

renamed as (
    select
        concat(
            source.workspace_id, ':', source.databricks_request_id, ':',
            coalesce(source.served_entity_id, '')
        ) as source_record_id,
        source.source_instance,
        source.version_load_id,
        source.version_hash,
        source.is_removed,
        source.source_locator,
        source.account_id,
        source.workspace_id,
        source.client_request_id,
        source.databricks_request_id,
        source.served_entity_id,
        source.requester,
        {{ utc('source.request_time') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        case when source.status_code >= 400 then 'error' else 'ok' end as status,
        coalesce(source.status_code, 200) < 400
        and source.input_token_count is null
        and source.output_token_count is null as has_no_counts,
        coalesce(source.input_token_count, 0) as input_tokens,
        coalesce(source.output_token_count, 0) as output_tokens,
        source.usage_context
    from source
)

select
    *,
    -- Of a request told twice in one reading the last counts, as it does downstream.
    row_number() over (
        partition by source_instance, source_record_id, version_load_id
        order by is_removed, source_locator desc
    ) as told_rank
from renamed
