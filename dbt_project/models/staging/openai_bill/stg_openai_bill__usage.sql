-- one row per bucket of OpenAI's usage as last stated: a UTC day, endpoint and its dimensions. OpenAI counts
-- inclusively: input_tokens contain cache reads and writes; output_tokens contain reasoning, which is not told apart
with source as (
    select * from {{ newest_windows('openai_bill', 'usage') }}
),

renamed as (
    select
        source_instance,
        'openai' as provider,
        cast({{ utc('starts_at') }} as date) as billed_on,
        endpoint,
        project_id as raw_workspace,
        api_key_id as raw_key_hash,
        model as model_name,
        is_batch,
        service_tier,
        num_model_requests as requests_count,
        case when quantity_unit <> 'tokens' then quantity_unit end as unit,
        case when quantity_unit <> 'tokens' then quantity end as quantity,
        coalesce(input_tokens, 0) as reported_input_tokens,
        coalesce(output_tokens, 0) as reported_output_tokens,
        coalesce(input_cached_tokens, 0) as cache_read_tokens,
        coalesce(input_cache_write_tokens, 0) as cache_write_30m_tokens,
        -- Older answers lack the uncached count: it is what is left of the whole.
        coalesce(
            input_uncached_tokens,
            greatest(
                coalesce(input_tokens, 0) - coalesce(input_cached_tokens, 0)
                - coalesce(input_cache_write_tokens, 0),
                0
            )
        ) as uncached_tokens,
        coalesce(input_audio_tokens, 0) as audio_input_tokens,
        coalesce(input_image_tokens, 0) as image_input_tokens,
        coalesce(output_audio_tokens, 0) as audio_output_tokens,
        coalesce(output_image_tokens, 0) as image_output_tokens,
        {{ utc('extracted_at') }} as loaded_at
    from source
),

bucketed as (
    select
        *,
        greatest(uncached_tokens - audio_input_tokens - image_input_tokens, 0) as input_tokens,
        greatest(reported_output_tokens - audio_output_tokens - image_output_tokens, 0) as output_tokens,
        cast(0 as bigint) as cache_write_5m_tokens,
        cast(0 as bigint) as cache_write_1h_tokens,
        cast(0 as bigint) as cache_write_12h_tokens,
        cast(0 as bigint) as reasoning_tokens
    from renamed
)

select
    source_instance,
    provider,
    billed_on,
    endpoint,
    raw_workspace,
    raw_key_hash,
    model_name,
    is_batch,
    service_tier,
    requests_count,
    unit,
    quantity,
    {% for kind in token_kinds() -%}
    {{ kind }}_tokens,
    {% endfor -%}
    {{ total_input_tokens() }} + {{ total_output_tokens() }} as total_tokens,
    reported_input_tokens + reported_output_tokens
        - ({{ total_input_tokens() }} + {{ total_output_tokens() }}) as total_mismatch_tokens,
    loaded_at
from bucketed
