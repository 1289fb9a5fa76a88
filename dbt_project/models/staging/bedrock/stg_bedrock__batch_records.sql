-- one row per version of a batch record. Counts are disjoint; a record has no time of its own, it takes its job's end
with source as (
    select * from {{ raw_rows('bedrock', 'batch_records') }}
),

renamed as (
    select
        source_instance,
        concat(account_id, ':', region, ':', job_arn, ':', record_id) as source_record_id,
        response_id as request_id,
        {{ utc('ended_at') }} as occurred_at,
        {{ utc('extracted_at') }} as loaded_at,
        model_id,
        region,
        case when is_error then 'error' else 'ok' end as status,
        coalesce(input_tokens, 0) as input_tokens,
        coalesce(cache_read_tokens, 0) as cache_read_tokens,
        -- Writes of unknown lifetime count as the default one, 5 minutes.
        greatest(coalesce(cache_write_tokens, 0) - coalesce(cache_write_1h_tokens, 0), 0)
            as cache_write_5m_tokens,
        coalesce(cache_write_1h_tokens, 0) as cache_write_1h_tokens,
        coalesce(output_tokens, 0) as output_tokens,
        account_id as raw_organization,
        row_hash,
        source_locator,
        load_id
    from source
),

events as (
    select
        *,
        'provider_log' as evidence_layer,
        'per_request' as fidelity,
        'aws_bedrock' as provider,
        model_id as model_requested,
        model_id as model_served,
        'chat' as operation,
        'batch' as service_tier,
        'disjoint' as token_convention
    from renamed
)

select
    {{ standard_event('bedrock', given=[
        'source_instance', 'source_record_id', 'request_id', 'evidence_layer', 'fidelity',
        'occurred_at', 'loaded_at', 'provider', 'model_requested', 'model_served', 'operation',
        'service_tier', 'region', 'status', 'input_tokens', 'cache_read_tokens',
        'cache_write_5m_tokens', 'cache_write_1h_tokens', 'output_tokens', 'token_convention',
        'raw_organization', 'row_hash', 'load_id', 'source_locator',
    ]) }}
from events
