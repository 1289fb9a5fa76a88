-- one row per version of a logged attempt. An export tells totals only: req_units is all input, how much of it was
-- read from a cache is not told, so that all of it stands as input and all of res_units as output
with source as (
    select * from {{ raw_rows('portkey', 'log_exports') }}
),

renamed as (
    select
        source.id as source_record_id,
        source.source_instance,
        -- An export tells no id of the answer; by what the client put into metadata other sources may know the call.
        coalesce({{ json_text('source.metadata', 'litellm_call_id') }}, source.id) as request_id,
        {{ json_text('source.metadata', 'litellm_call_id') }} as call_id,
        {{ json_text('source.metadata', 'response_id') }} as response_id,
        source.trace_id,
        coalesce(
            {{ json_text('source.metadata', 'session') }},
            {{ json_text('source.metadata', 'session_id') }},
            source.trace_id
        ) as session_id,
        {{ utc('source.created_at') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        source.response_time as latency_ms,
        replace(lower(nullif(source.ai_org, '')), '-', '_') as provider,
        nullif(source.ai_model, '') as model_served,
        source.request_path,
        case
            when coalesce(source.is_success, source.response_status_code < 400, true) then 'ok'
            else 'error'
        end as status,
        coalesce(upper(source.cache_status) in ('HIT', 'SEMANTIC HIT'), false)
            as is_gateway_cache_hit,
        source.req_units as input_tokens,
        source.res_units as output_tokens,
        source.total_units - source.req_units - source.res_units as total_mismatch_tokens,
        -- Portkey counts in US cents; of any other currency no rate is known.
        case
            when upper(coalesce(source.cost_currency, 'USD')) <> 'USD' then null
            when source.cost_unit = 'usd' then source.cost
            else {{ money('source.cost * 0.01') }}
        end as logged_cost_usd,
        source.organisation_id as raw_organization,
        source.workspace_slug as raw_workspace,
        {{ json_text('source.metadata', 'team') }} as raw_team,
        coalesce(
            {{ json_text('source.metadata', '_user') }}, {{ json_text('source.metadata', 'user') }}
        ) as raw_user,
        {{ json_text('source.metadata', 'customer') }} as raw_customer,
        {{ json_text('source.metadata', 'agent') }} as raw_agent,
        coalesce(
            {{ json_text('source.metadata', 'application') }}, {{ json_text('source.metadata', 'app') }}
        ) as raw_application,
        {{ json_text('source.metadata', 'feature') }} as raw_feature,
        source.api_key_id as raw_key_hash,
        source.metadata as tags,
        source.row_hash,
        source.source_locator,
        source.load_id
    from source
),

events as (
    select
        *,
        'gateway' as evidence_layer,
        'per_request' as fidelity,
        {{ operation_of_path('request_path') }} as operation,
        -- 0 for tokens that were served is a cache hit or a model without a price, and an export does
        -- not tell which: no claim, unless the row itself says hit.
        case
            when logged_cost_usd = 0
                and status = 'ok'
                and not is_gateway_cache_hit
                and input_tokens + output_tokens > 0
                then null
            else logged_cost_usd
        end as reported_cost_usd,
        'estimated' as reported_cost_basis,
        'total' as token_convention
    from renamed
)

select
    {{ standard_event('portkey', given=[
        'source_instance', 'source_record_id', 'request_id', 'call_id', 'response_id', 'trace_id', 'session_id',
        'evidence_layer', 'fidelity',
        'occurred_at', 'loaded_at', 'latency_ms', 'provider', 'model_served', 'operation', 'status',
        'is_gateway_cache_hit', 'input_tokens', 'output_tokens', 'reported_cost_usd',
        'reported_cost_basis', 'token_convention', 'total_mismatch_tokens', 'raw_organization',
        'raw_workspace', 'raw_team', 'raw_user', 'raw_customer', 'raw_agent', 'raw_application',
        'raw_feature', 'raw_key_hash', 'tags', 'row_hash', 'load_id', 'source_locator',
    ]) }}
from events
