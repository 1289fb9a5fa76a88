-- one row per day, card, usage type and environment: Salesforce's own total as last stated. It grows while Salesforce
-- processes, so it controls the events and is never added to them
with source as (
    select * from {{ newest_windows('agentforce', 'daily_consumption') }}
)

select
    source_instance,
    cast({{ utc('utilized_at') }} as date) as usage_on,
    card,
    usage_type,
    environment,
    {{ agentforce_unit('card') }} as unit,
    sum(units_consumed) as quantity,
    max({{ utc('extracted_at') }}) as loaded_at
from source
group by
    source_instance,
    cast({{ utc('utilized_at') }} as date),
    card,
    usage_type,
    environment,
    {{ agentforce_unit('card') }}
