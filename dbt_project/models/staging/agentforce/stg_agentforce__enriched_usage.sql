-- one row per version of a billable act. No tokens: the quantity is what Salesforce computed, in the unit of the card
with source as (
    select * from {{ raw_rows('agentforce', 'enriched_usage') }}
),

renamed as (
    select
        concat(coalesce(source.org_id, ''), '/enriched_usage/', source.id) as source_record_id,
        source.source_instance,
        source.correlation_id as request_id,
        -- A conversation's resource is the messaging session, not who held it.
        case when source.resource_type = 'MessagingSession' then source.resource_name end
            as session_id,
        {{ utc('source.event_time') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        {{ agentforce_unit('source.card') }} as unit,
        source.units_consumed as quantity,
        source.org_id as raw_organization,
        case
            when source.resource_type = 'MessagingSession' then source.usage_subtype
            else coalesce(source.resource_name, source.usage_subtype)
        end as raw_agent,
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
        'salesforce' as provider,
        case when unit = 'conversations' then 'conversation' else 'agent_action' end as operation,
        'ok' as status
    from renamed
)

select
    {{ standard_event('agentforce', given=[
        'source_instance', 'source_record_id', 'request_id', 'session_id', 'evidence_layer',
        'fidelity', 'occurred_at', 'loaded_at', 'provider', 'operation', 'status', 'unit',
        'quantity', 'raw_organization', 'raw_agent', 'raw_feature', 'tags', 'row_hash', 'load_id',
        'source_locator',
    ]) }}
from events
