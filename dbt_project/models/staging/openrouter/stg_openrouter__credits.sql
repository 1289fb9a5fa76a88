-- one row per account and UTC day, as last read on that day: credits of one dollar since the account began
with source as (
    select * from {{ newest_windows('openrouter', 'credits') }}
),

renamed as (
    select
        source.source_instance,
        'invoice' as evidence_layer,
        cast({{ utc('source.observed_on') }} as date) as observed_on,
        source.total_credits as total_credits_usd,
        source.total_usage as total_usage_usd,
        {{ utc('source.extracted_at') }} as observed_at
    from source
)

select * from renamed
