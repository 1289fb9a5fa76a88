-- one row per version of an invocation through the AI gateway. Inclusive counts, buckets apart; an external model's call
-- carries its share of the dollars stated for its hour, a hosted one no claim: it is billed in DBU
with calls as (
    select * from {{ ref('stg_databricks__invocations') }}
),

shares as (
    select * from {{ ref('stg_databricks__spend_shares') }}
),

-- A call is a new version when it was read again, and when the money of its hour was.
versions as (
    select
        calls.*,
        shares.share_usd as reported_cost_usd,
        shares.provider as paid_provider,
        coalesce(shares.version_load_id, calls.version_load_id) as load_id,
        case
            when shares.share_usd is null then calls.version_hash
            else {{ hash_key(['calls.version_hash', 'shares.share_usd', 'shares.provider']) }}
        end as row_hash
    from calls
    left join shares
        on calls.source_instance = shares.source_instance
        and calls.window_key = shares.window_key
        and calls.reading_load_id = shares.reading_load_id
        and calls.source_locator = shares.source_locator
        and not calls.is_removed
),

events as (
    select
        *,
        coalesce(
            {{ json_text('request_tags', 'litellm_call_id') }},
            {{ json_text('request_tags', 'call_id') }},
            gateway_request_id
        ) as request_id,
        coalesce(
            {{ json_text('request_tags', 'litellm_call_id') }}, {{ json_text('request_tags', 'call_id') }}
        ) as call_id,
        'provider_log' as evidence_layer,
        'per_request' as fidelity,
        case
            when not is_external then 'databricks'
            when paid_provider is not null then paid_provider
            when api_type like 'anthropic/%' then 'anthropic'
            when api_type like 'openai/%' then 'openai'
            when api_type like 'gemini/%' then 'gemini'
        end as provider,
        service_name as model_requested,
        case
            when is_external then destination_model
            -- The destination's model is a name at times and a label at others: the name is the stable one.
            when hosted_name = concat('databricks-', destination_model) then destination_model
            else hosted_name
        end as model_served,
        case
            when service_type = 'MCP_SERVER' then 'agent_action'
            when api_type like '%/embeddings' then 'embeddings'
            when api_type like '%/chat/completions' or api_type like '%/messages' then 'chat'
            when api_type like '%/responses' then 'chat'
            when api_type like '%/completions' then 'text_completion'
            when api_type like 'gemini/%' then 'generate_content'
            else nullif(api_type, 'unmanaged')
        end as operation,
        case when has_no_counts then 'requests' end as unit,
        case when has_no_counts then cast(1 as decimal(38, 15)) end as quantity,
        case when reported_cost_usd is not null then 'estimated' end as reported_cost_basis,
        'inclusive' as token_convention,
        total_count - input_tokens - cache_read_tokens - cache_write_5m_tokens
            - output_tokens - reasoning_tokens as total_mismatch_tokens,
        account_id as raw_organization,
        workspace_id as raw_workspace,
        coalesce(
            {{ json_text('request_tags', 'team') }}, {{ json_text('endpoint_tags', 'team') }}
        ) as raw_team,
        coalesce({{ json_text('request_tags', 'user') }}, requester) as raw_user,
        coalesce(
            {{ json_text('request_tags', 'customer') }},
            {{ json_text('request_tags', 'customer_id') }},
            {{ json_text('endpoint_tags', 'customer') }}
        ) as raw_customer,
        coalesce({{ json_text('request_tags', 'agent') }}, user_agent) as raw_agent,
        coalesce(
            {{ json_text('request_tags', 'application') }},
            {{ json_text('request_tags', 'app') }},
            endpoint_name
        ) as raw_application,
        {{ json_text('request_tags', 'feature') }} as raw_feature,
        request_tags as tags
    from versions
)

select
    {{ standard_event('databricks', given=[
        'source_instance', 'source_record_id', 'request_id', 'call_id', 'evidence_layer', 'fidelity',
        'occurred_at', 'loaded_at', 'latency_ms', 'ttft_ms', 'provider', 'model_requested',
        'model_served', 'operation', 'status', 'input_tokens', 'cache_read_tokens',
        'cache_write_5m_tokens', 'output_tokens', 'reasoning_tokens', 'unit', 'quantity',
        'reported_cost_usd', 'reported_cost_basis', 'token_convention', 'total_mismatch_tokens',
        'raw_organization', 'raw_workspace', 'raw_team', 'raw_user', 'raw_customer', 'raw_agent',
        'raw_application', 'raw_feature', 'tags', 'row_hash', 'load_id', 'source_locator',
        'is_removed',
    ]) }}
from events
