-- one row per served entity, change and content, as first read: what an endpoint served from then on
with source as (
    select
        *,
        row_number() over (
            partition by source_instance, served_entity_id, change_time, row_hash
            order by load_id, source_locator
        ) as first_rank
    from {{ raw_rows('databricks', 'served_entities') }}
)

select
    source.source_instance,
    source.served_entity_id,
    source.account_id,
    source.workspace_id,
    source.endpoint_id,
    source.endpoint_name,
    source.served_entity_name,
    source.entity_type,
    source.entity_name,
    source.entity_version,
    source.endpoint_config_version,
    source.task,
    source.external_model_provider,
    {{ utc('source.change_time') }} as changed_at,
    {{ utc('source.endpoint_delete_time') }} as deleted_at,
    source.row_hash,
    source.load_id
from source
where source.first_rank = 1
