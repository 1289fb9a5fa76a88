-- one row per key as last listed; a limit of null is none where is_unlimited says so, else it is not known
with source as (
    select * from {{ newest_windows('openrouter', 'keys') }}
),

renamed as (
    select
        source.source_instance,
        source.hash as key_hash,
        nullif(source.name, '') as key_alias,
        source.workspace_id,
        source.creator_user_id,
        nullif(source.external_user, '') as external_user,
        source.disabled as is_disabled,
        source.is_unlimited,
        source.include_byok_in_limit as is_byok_in_limit,
        source.limit_reset,
        source.spend_limit as limit_usd,
        source.limit_remaining as limit_remaining_usd,
        source.usage as usage_usd,
        source.usage_daily as usage_daily_usd,
        source.usage_weekly as usage_weekly_usd,
        source.usage_monthly as usage_monthly_usd,
        source.byok_usage as byok_usage_usd,
        source.byok_usage_daily as byok_usage_daily_usd,
        source.byok_usage_weekly as byok_usage_weekly_usd,
        source.byok_usage_monthly as byok_usage_monthly_usd,
        {{ utc('source.created_at') }} as created_at,
        {{ utc('source.updated_at') }} as updated_at,
        {{ utc('source.expires_at') }} as expires_at,
        {{ utc('source.last_used_at') }} as last_used_at,
        {{ utc('source.extracted_at') }} as observed_at
    from source
)

select * from renamed
