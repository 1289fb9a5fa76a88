-- one row per bucket of Anthropic's usage as last stated: a UTC day and its dimensions. Anthropic counts disjointly:
-- uncached_input_tokens exclude cache reads and writes; output_tokens contain reasoning, which is not told apart
with source as (
    select * from {{ newest_windows('anthropic_bill', 'usage') }}
),

bucketed as (
    select
        source_instance,
        'anthropic' as provider,
        cast({{ utc('starts_at') }} as date) as billed_on,
        workspace_id as raw_workspace,
        api_key_id as raw_key_hash,
        model as model_name,
        service_tier,
        context_window,
        inference_geo,
        web_search_requests as web_searches_count,
        uncached_input_tokens as input_tokens,
        cache_read_input_tokens as cache_read_tokens,
        cache_write_5m_input_tokens as cache_write_5m_tokens,
        cast(0 as bigint) as cache_write_30m_tokens,
        cache_write_1h_input_tokens as cache_write_1h_tokens,
        cast(0 as bigint) as cache_write_12h_tokens,
        output_tokens,
        cast(0 as bigint) as reasoning_tokens,
        cast(0 as bigint) as audio_input_tokens,
        cast(0 as bigint) as audio_output_tokens,
        cast(0 as bigint) as image_input_tokens,
        cast(0 as bigint) as image_output_tokens,
        {{ utc('extracted_at') }} as loaded_at
    from source
)

select
    *,
    {{ total_input_tokens() }} + {{ total_output_tokens() }} as total_tokens
from bucketed
