-- one row per version of a model call. Tokens are prompt and completion in total: what was read from a cache or reasoned
-- is not known, so all of it stands in input and output (`unsplit`). Credits carry the money
with source as (
    select * from {{ raw_rows('agentforce', 'generative_ai_usage') }}
),

renamed as (
    select
        concat(coalesce(source.org_id, ''), '/generative_ai_usage/', source.id)
            as source_record_id,
        source.source_instance,
        source.request_id,
        source.trace_id,
        source.session_id,
        {{ utc('source.event_time') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        source.gateway_model as model_requested,
        source.provider_model as model_served,
        coalesce(source.prompt_tokens, 0) as input_tokens,
        coalesce(source.completion_tokens, 0) as output_tokens,
        source.total_tokens
        - coalesce(source.prompt_tokens, 0)
        - coalesce(source.completion_tokens, 0) as total_mismatch_tokens,
        source.org_id as raw_organization,
        source.user_id as raw_user,
        source.agent as raw_agent,
        source.feature as raw_feature,
        source.tags,
        source.row_hash,
        source.source_locator,
        source.load_id
    from source
),

events as (
    select
        *,
        'saas' as evidence_layer,
        'per_request' as fidelity,
        true as is_informational,
        'salesforce' as provider,
        'chat' as operation,
        'ok' as status,
        'unsplit' as token_convention
    from renamed
)

select
    {{ standard_event('agentforce', given=[
        'source_instance', 'source_record_id', 'request_id', 'trace_id', 'session_id',
        'evidence_layer', 'fidelity', 'is_informational', 'occurred_at', 'loaded_at', 'provider',
        'model_requested', 'model_served', 'operation', 'status', 'input_tokens', 'output_tokens',
        'token_convention', 'total_mismatch_tokens', 'raw_organization', 'raw_user', 'raw_agent',
        'raw_feature', 'tags', 'row_hash', 'load_id', 'source_locator',
    ]) }}
from events
