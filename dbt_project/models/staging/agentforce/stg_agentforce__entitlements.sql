-- one row per entitlement transaction: purchases, credits and refunds as last stated
with source as (
    select
        *,
        row_number() over (
            partition by source_instance, id
            order by load_id desc, source_locator desc
        ) as newest_rank
    from {{ raw_rows('agentforce', 'entitlement_transactions') }}
)

select
    source_instance,
    id as transaction_id,
    card,
    transaction_type,
    usage_model,
    contract_id,
    {{ agentforce_unit('card') }} as unit,
    quantity,
    {{ utc('starts_at') }} as starts_at,
    {{ utc('ends_at') }} as ends_at,
    {{ utc('extracted_at') }} as loaded_at
from source
where newest_rank = 1
