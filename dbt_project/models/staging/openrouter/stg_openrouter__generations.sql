-- one row per version of a single generation that was looked up. OpenRouter counts inclusively, in the tokens of the
-- model's own tokenizer. Informational: the ledger's day or hour carries its money, this row says whose it was
with source as (
    select * from {{ raw_rows('openrouter', 'generations') }}
),

renamed as (
    select
        source.id as source_record_id,
        source.source_instance,
        source.id as request_id,
        source.id as response_id,
        nullif(source.session_id, '') as session_id,
        {{ utc('source.created_at') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        source.latency as latency_ms,
        replace(lower(nullif(source.provider_name, '')), ' ', '_') as provider,
        nullif(source.model, '') as model,
        source.api_type,
        source.service_tier,
        source.data_region as region,
        case when source.finish_reason = 'error' then 'error' else 'ok' end as status,
        source.response_cache_source_id is not null as is_gateway_cache_hit,
        -- Fallbacks are attempts within one generation.
        cast(greatest(coalesce(source.attempts, 1), 1) as integer) as attempt,
        coalesce(source.prompt_tokens, 0) as prompt_tokens,
        coalesce(source.completion_tokens, 0) as completion_tokens,
        coalesce(source.cached_tokens, 0) as cache_read_tokens,
        coalesce(source.reasoning_tokens, 0) as reasoning_tokens,
        coalesce(source.image_output_tokens, 0) as image_output_tokens,
        source.media_completion,
        -- Only an own provider key is paid apart; else the upstream cost is in the total already.
        source.total_cost
        + case when source.is_byok then coalesce(source.upstream_inference_cost, 0) else 0 end
            as cost_usd,
        nullif(source.workspace_id, '') as raw_workspace,
        nullif(source.external_user, '') as raw_customer,
        coalesce(nullif(source.app_id, ''), nullif(source.preset_id, '')) as raw_application,
        source.tags,
        source.row_hash,
        source.source_locator,
        source.load_id
    from source
),

bucketed as (
    select
        *,
        greatest(prompt_tokens - cache_read_tokens, 0) as input_tokens,
        greatest(completion_tokens - reasoning_tokens - image_output_tokens, 0) as output_tokens
    from renamed
),

events as (
    select
        *,
        'gateway' as evidence_layer,
        'per_request' as fidelity,
        true as is_informational,
        model as model_requested,
        model as model_served,
        case
            when api_type = 'completions' then 'chat'
            when api_type in ('tts', 'stt') then 'audio'
            else api_type
        end as operation,
        case when api_type = 'image' then 'images' end as unit,
        case when api_type = 'image' then cast(media_completion as decimal(38, 15)) end as quantity,
        {{ money('cost_usd') }} as reported_cost_usd,
        'billed' as reported_cost_basis,
        'inclusive' as token_convention,
        prompt_tokens + completion_tokens - input_tokens - cache_read_tokens
            - output_tokens - reasoning_tokens - image_output_tokens as total_mismatch_tokens
    from bucketed
)

select
    {{ standard_event('openrouter', given=[
        'source_instance', 'source_record_id', 'request_id', 'response_id', 'session_id', 'evidence_layer',
        'fidelity', 'is_informational', 'occurred_at', 'loaded_at', 'latency_ms', 'provider',
        'model_requested', 'model_served', 'operation', 'service_tier', 'region', 'status',
        'is_gateway_cache_hit', 'attempt', 'input_tokens', 'cache_read_tokens', 'output_tokens',
        'reasoning_tokens', 'image_output_tokens', 'unit', 'quantity', 'reported_cost_usd',
        'reported_cost_basis', 'token_convention', 'total_mismatch_tokens', 'raw_workspace',
        'raw_customer', 'raw_application', 'tags', 'row_hash', 'load_id', 'source_locator',
    ]) }}
from events
