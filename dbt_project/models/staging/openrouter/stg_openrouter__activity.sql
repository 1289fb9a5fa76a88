-- one row per version of a UTC day of a key, workspace, endpoint and model. OpenRouter counts inclusively:
-- prompt_tokens contain cached_tokens, completion_tokens contain reasoning_tokens; cache writes are not told
{% set keys = ['date', 'api_key_hash', 'workspace_id', 'endpoint_id', 'model_permaslug'] %}
with source as (
    select * from {{ restated_rows('openrouter', 'activity', keys) }}
),

renamed as (
    select
        concat_ws(
            ':',
            cast(cast({{ utc('source.date') }} as date) as {{ dbt.type_string() }}),
            source.api_key_hash,
            coalesce(source.workspace_id, ''),
            coalesce(source.endpoint_id, ''),
            source.model_permaslug
        ) as source_record_id,
        source.source_instance,
        {{ utc('source.date') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        -- Names of payees as the price catalogue spells them: `Amazon Bedrock` is amazon_bedrock.
        replace(lower(nullif(source.provider_name, '')), ' ', '_') as provider,
        nullif(source.model, '') as model_requested,
        source.model_permaslug as model_served,
        coalesce(source.requests, 0) as requests,
        source.prompt_tokens,
        source.completion_tokens,
        coalesce(source.cached_tokens, 0) as cache_read_tokens,
        coalesce(source.reasoning_tokens, 0) as reasoning_tokens,
        source.usage,
        source.byok_usage_inference,
        nullif(source.workspace_id, '') as raw_workspace,
        nullif(source.external_user, '') as raw_customer,
        source.api_key_hash as raw_key_hash,
        nullif(source.api_key_name, '') as raw_key_alias,
        source.source_locator,
        source.version_hash as row_hash,
        source.version_load_id as load_id,
        source.is_removed
    from source
),

bucketed as (
    select
        *,
        -- A replayed answer of the response cache may count more cached than prompt tokens.
        greatest(prompt_tokens - cache_read_tokens, 0) as input_tokens,
        greatest(completion_tokens - reasoning_tokens, 0) as output_tokens
    from renamed
),

events as (
    select
        *,
        'gateway' as evidence_layer,
        'aggregate' as fidelity,
        'bucket' as usage_origin,
        occurred_at as period_start_at,
        cast({{ dbt.dateadd('day', 1, 'occurred_at') }} as timestamp) as period_end_at,
        case when model_served like '%embed%' then 'embeddings' else 'chat' end as operation,
        'ok' as status,
        'requests' as unit,
        cast(requests as decimal(38, 15)) as quantity,
        -- With an own provider key `usage` is OpenRouter's fee alone: the provider is paid apart. What is free is 0.
        {{ money('usage + byok_usage_inference') }} as reported_cost_usd,
        'billed' as reported_cost_basis,
        'inclusive' as token_convention,
        prompt_tokens + completion_tokens
            - input_tokens - cache_read_tokens - output_tokens - reasoning_tokens
            as total_mismatch_tokens
    from bucketed
)

select
    {{ standard_event('openrouter', given=[
        'source_instance', 'source_record_id', 'evidence_layer', 'fidelity', 'usage_origin',
        'occurred_at', 'period_start_at', 'period_end_at', 'loaded_at', 'provider',
        'model_requested', 'model_served', 'operation', 'status', 'input_tokens',
        'cache_read_tokens', 'output_tokens', 'reasoning_tokens', 'unit', 'quantity',
        'reported_cost_usd', 'reported_cost_basis', 'token_convention', 'total_mismatch_tokens',
        'raw_workspace', 'raw_customer', 'raw_key_hash', 'raw_key_alias', 'row_hash', 'load_id',
        'source_locator', 'is_removed',
    ]) }}
from events
