-- one row per request to a serving endpoint and load that changed what is known of it: its newest version by then, whether
-- the AI gateway had told it too, and what had served it. Rows are only ever added: what was true stays as it was
with requests as (
    select * from {{ ref('stg_databricks__requests') }}
    where told_rank = 1
),

request_ids as (
    select
        source_instance,
        source_record_id,
        workspace_id,
        databricks_request_id,
        served_entity_id,
        min(occurred_at) as occurred_at
    from requests
    group by
        source_instance,
        source_record_id,
        workspace_id,
        databricks_request_id,
        served_entity_id
),

gateway_requests as (
    select
        source_instance,
        workspace_id,
        gateway_request_id,
        version_load_id,
        min(case when is_removed then 1 else 0 end) as is_gone
    from {{ ref('stg_databricks__invocations') }}
    group by
        source_instance,
        workspace_id,
        gateway_request_id,
        version_load_id
),

entities as (
    select * from {{ ref('stg_databricks__served_entities') }}
),

changes as (
    select
        source_instance,
        source_record_id,
        version_load_id as load_id,
        version_load_id as own_load_id,
        cast(null as {{ dbt.type_string() }}) as gateway_load_id
    from requests
    union all
    select
        request_ids.source_instance,
        request_ids.source_record_id,
        gateway_requests.version_load_id as load_id,
        null as own_load_id,
        gateway_requests.version_load_id as gateway_load_id
    from request_ids
    inner join gateway_requests
        on request_ids.source_instance = gateway_requests.source_instance
        and request_ids.workspace_id = gateway_requests.workspace_id
        and request_ids.databricks_request_id = gateway_requests.gateway_request_id
    union all
    select
        request_ids.source_instance,
        request_ids.source_record_id,
        entities.load_id,
        null as own_load_id,
        null as gateway_load_id
    from request_ids
    inner join entities
        on request_ids.source_instance = entities.source_instance
        and request_ids.served_entity_id = entities.served_entity_id
        and request_ids.occurred_at >= entities.changed_at
),

loads as (
    select
        source_instance,
        source_record_id,
        load_id,
        max(own_load_id) as own_load_id,
        max(gateway_load_id) as gateway_load_id
    from changes
    group by
        source_instance,
        source_record_id,
        load_id
),

moments as (
    select
        source_instance,
        source_record_id,
        load_id,
        max(own_load_id) over (
            partition by source_instance, source_record_id order by load_id
            rows between unbounded preceding and current row
        ) as own_load_id,
        max(gateway_load_id) over (
            partition by source_instance, source_record_id order by load_id
            rows between unbounded preceding and current row
        ) as gateway_load_id
    from loads
)

select
    requests.*,
    moments.load_id,
    gateway_requests.is_gone = 0 as is_in_gateway,
    entities.entity_type,
    entities.entity_name,
    entities.served_entity_name,
    entities.external_model_provider,
    entities.endpoint_name,
    entities.task,
    -- The newest change before the request, as it was last told.
    row_number() over (
        partition by moments.source_instance, moments.source_record_id, moments.load_id
        order by entities.changed_at desc, entities.load_id desc, entities.row_hash
    ) as entity_rank
from moments
inner join requests
    on moments.source_instance = requests.source_instance
    and moments.source_record_id = requests.source_record_id
    and moments.own_load_id = requests.version_load_id
left join gateway_requests
    on requests.source_instance = gateway_requests.source_instance
    and requests.workspace_id = gateway_requests.workspace_id
    and requests.databricks_request_id = gateway_requests.gateway_request_id
    and moments.gateway_load_id = gateway_requests.version_load_id
left join entities
    on requests.source_instance = entities.source_instance
    and requests.served_entity_id = entities.served_entity_id
    and requests.occurred_at >= entities.changed_at
    and moments.load_id >= entities.load_id
