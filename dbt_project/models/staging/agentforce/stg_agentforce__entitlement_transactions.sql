-- one row per version of a refund of consumed units, which no usage event shows. No tokens; the quantity is below zero.
-- Purchases and credits are no usage: they stand in stg_agentforce__entitlements
with source as (
    select * from {{ raw_rows('agentforce', 'entitlement_transactions') }}
),

refunds as (
    select * from source
    where lower(transaction_type) like '%refund%'
),

events as (
    select
        concat('entitlement_transactions/', refunds.id) as source_record_id,
        refunds.source_instance,
        'saas' as evidence_layer,
        'aggregate' as fidelity,
        'adjustment' as usage_origin,
        {{ utc('refunds.starts_at') }} as occurred_at,
        {{ utc('refunds.extracted_at') }} as loaded_at,
        'salesforce' as provider,
        case
            when {{ agentforce_unit('refunds.card') }} = 'conversations' then 'conversation'
            else 'agent_action'
        end as operation,
        'ok' as status,
        {{ agentforce_unit('refunds.card') }} as unit,
        -abs(refunds.quantity) as quantity,
        refunds.row_hash,
        refunds.load_id,
        refunds.source_locator
    from refunds
)

select
    {{ standard_event('agentforce', given=[
        'source_instance', 'source_record_id', 'evidence_layer', 'fidelity', 'usage_origin',
        'occurred_at', 'loaded_at', 'provider', 'operation', 'status', 'unit', 'quantity',
        'row_hash', 'load_id', 'source_locator',
    ]) }}
from events
