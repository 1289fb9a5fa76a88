-- one row per hour of an account, model and provider, as last stated: control totals beside the activity ledger
with source as (
    select * from {{ newest_windows('openrouter', 'analytics') }}
),

renamed as (
    select
        source.source_instance,
        replace(lower(nullif(source.provider, '')), ' ', '_') as provider,
        source.model as model_served,
        source.request_count as requests_count,
        source.tokens_prompt + source.tokens_completion as total_tokens,
        {{ money('source.total_usage') }} as reported_cost_usd,
        {{ money('source.credits_usage') }} as credits_used_usd,
        {{ money('source.byok_usage') }} as byok_cost_usd,
        {{ utc('source.hour') }} as period_start_at,
        {{ utc('source.extracted_at') }} as loaded_at
    from source
    -- A row of one key is usage, where analytics is the ledger.
    where source.api_key_hash is null
)

select * from renamed
