-- one row per version of an hour of a key, model and provider, where analytics is the ledger. OpenRouter counts
-- inclusively: tokens_completion contain reasoning; cache reads stand inside tokens_prompt and are not told apart
{% set keys = ['hour', 'api_key_hash', 'model', 'provider'] %}
with source as (
    select * from {{ restated_rows('openrouter', 'analytics', keys) }}
),

renamed as (
    select
        concat_ws(
            ':',
            cast({{ utc('source.hour') }} as {{ dbt.type_string() }}),
            source.api_key_hash,
            coalesce(source.provider, ''),
            source.model
        ) as source_record_id,
        source.source_instance,
        {{ utc('source.hour') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        replace(lower(nullif(source.provider, '')), ' ', '_') as provider,
        source.model as model_served,
        coalesce(source.request_count, 0) as requests,
        source.tokens_prompt as input_tokens,
        source.tokens_completion,
        coalesce(source.reasoning_tokens, 0) as reasoning_tokens,
        -- total_usage contains what own provider keys cost: it is never added to byok_usage.
        coalesce(
            source.total_usage,
            source.credits_usage + coalesce(source.byok_usage, 0),
            source.byok_usage
        ) as total_usage,
        nullif(source.external_user, '') as raw_customer,
        source.api_key_hash as raw_key_hash,
        nullif(source.api_key_name, '') as raw_key_alias,
        source.source_locator,
        source.version_hash as row_hash,
        source.version_load_id as load_id,
        source.is_removed
    from source
    -- Rows of the account as a whole are control totals.
    where source.api_key_hash is not null
),

events as (
    select
        *,
        'gateway' as evidence_layer,
        'aggregate' as fidelity,
        'bucket' as usage_origin,
        occurred_at as period_start_at,
        cast({{ dbt.dateadd('hour', 1, 'occurred_at') }} as timestamp) as period_end_at,
        model_served as model_requested,
        case when model_served like '%embed%' then 'embeddings' else 'chat' end as operation,
        'ok' as status,
        greatest(tokens_completion - reasoning_tokens, 0) as output_tokens,
        'requests' as unit,
        cast(requests as decimal(38, 15)) as quantity,
        {{ money('total_usage') }} as reported_cost_usd,
        'billed' as reported_cost_basis,
        'inclusive' as token_convention,
        tokens_completion - greatest(tokens_completion - reasoning_tokens, 0) - reasoning_tokens
            as total_mismatch_tokens
    from renamed
)

select
    {{ standard_event('openrouter', given=[
        'source_instance', 'source_record_id', 'evidence_layer', 'fidelity', 'usage_origin',
        'occurred_at', 'period_start_at', 'period_end_at', 'loaded_at', 'provider',
        'model_requested', 'model_served', 'operation', 'status', 'input_tokens', 'output_tokens',
        'reasoning_tokens', 'unit', 'quantity', 'reported_cost_usd', 'reported_cost_basis',
        'token_convention', 'total_mismatch_tokens', 'raw_customer', 'raw_key_hash',
        'raw_key_alias', 'row_hash', 'load_id', 'source_locator', 'is_removed',
    ]) }}
from events
