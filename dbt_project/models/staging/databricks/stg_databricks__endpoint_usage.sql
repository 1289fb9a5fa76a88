-- one row per version of a request to a serving endpoint: totals without a split. What the AI gateway tells of the same
-- request counts, then this row is informational
with requests as (
    select * from {{ ref('stg_databricks__request_moments') }}
    where entity_rank = 1
),

named as (
    select
        *,
        coalesce(is_in_gateway, false) as is_informational,
        case
            when entity_type = 'EXTERNAL_MODEL' then external_model_provider
            when entity_type is not null then 'databricks'
        end as provider,
        case
            when coalesce(entity_name, served_entity_name) like 'system.ai.%'
                then substr(coalesce(entity_name, served_entity_name), 11)
            else coalesce(entity_name, served_entity_name)
        end as model_served
    from requests
),

events as (
    select
        *,
        {{ hash_key(['version_hash', 'is_informational', 'provider', 'model_served', 'task']) }}
            as row_hash,
        coalesce(client_request_id, databricks_request_id) as request_id,
        'provider_log' as evidence_layer,
        'per_request' as fidelity,
        endpoint_name as model_requested,
        case task
            when 'llm/v1/chat' then 'chat'
            when 'llm/v1/completions' then 'text_completion'
            when 'llm/v1/embeddings' then 'embeddings'
            else task
        end as operation,
        case when has_no_counts then 'requests' end as unit,
        case when has_no_counts then cast(1 as decimal(38, 15)) end as quantity,
        'totals' as token_convention,
        account_id as raw_organization,
        workspace_id as raw_workspace,
        {{ json_text('usage_context', 'team') }} as raw_team,
        coalesce({{ json_text('usage_context', 'user') }}, requester) as raw_user,
        coalesce(
            {{ json_text('usage_context', 'customer') }},
            {{ json_text('usage_context', 'customer_id') }},
            {{ json_text('usage_context', 'end_user_to_charge') }},
            {{ json_text('usage_context', 'end_user') }}
        ) as raw_customer,
        {{ json_text('usage_context', 'agent') }} as raw_agent,
        coalesce(
            {{ json_text('usage_context', 'application') }},
            {{ json_text('usage_context', 'app') }},
            {{ json_text('usage_context', 'project') }},
            endpoint_name
        ) as raw_application,
        {{ json_text('usage_context', 'feature') }} as raw_feature,
        usage_context as tags
    from named
)

select
    {{ standard_event('databricks', given=[
        'source_instance', 'source_record_id', 'request_id', 'evidence_layer', 'fidelity',
        'is_informational', 'occurred_at', 'loaded_at', 'provider', 'model_requested',
        'model_served', 'operation', 'status', 'input_tokens', 'output_tokens', 'unit', 'quantity',
        'token_convention', 'raw_organization', 'raw_workspace', 'raw_team', 'raw_user',
        'raw_customer', 'raw_agent', 'raw_application', 'raw_feature', 'tags', 'row_hash',
        'load_id', 'source_locator', 'is_removed',
    ]) }}
from events
