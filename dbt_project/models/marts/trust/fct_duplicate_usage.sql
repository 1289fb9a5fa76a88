-- one row per act that a source shows and another, which covers it, meters: it carries no cost
with usage_events as (
    select * from {{ ref('int_usage__deduplicated') }}
),

sources as (
    select * from {{ ref('stg_config__sources') }}
    where covered_by is not null
),

shadows as (
    select
        usage_events.*,
        sources.covered_by
    from usage_events
    inner join sources
        on usage_events.source_instance = sources.source_instance
        and {{ is_covered('usage_events', 'sources') }}
),

carriers as (
    select
        usage_events.source_instance,
        usage_events.usage_key,
        usage_events.source_record_id,
        usage_events.request_id
    from usage_events
    inner join (select covered_by from sources group by covered_by) as covering
        on usage_events.source_instance = covering.covered_by
),

-- Its own id of the call joins first, then the provider's.
matches as (
    select
        shadows.usage_key,
        carriers.usage_key as carrier_key,
        'record id' as matched_by,
        1 as match_rank
    from shadows
    inner join carriers
        on shadows.covered_by = carriers.source_instance
        and shadows.request_id = carriers.source_record_id
    union all
    select
        shadows.usage_key,
        carriers.usage_key as carrier_key,
        'request id' as matched_by,
        2 as match_rank
    from shadows
    inner join carriers
        on shadows.covered_by = carriers.source_instance
        and shadows.request_id = carriers.request_id
),

ranked as (
    select
        *,
        row_number() over (partition by usage_key order by match_rank, carrier_key) as preference
    from matches
)

select
    shadows.usage_key,
    shadows.source,
    shadows.source_instance,
    shadows.covered_by,
    ranked.carrier_key as duplicate_of_usage_key,
    coalesce(ranked.matched_by, 'coverage rule') as matched_by,
    shadows.usage_on,
    shadows.occurred_at,
    shadows.provider,
    shadows.model_served,
    shadows.total_tokens,
    {{ money('shadows.reported_cost_usd') }} as reported_cost_usd
from shadows
left join ranked
    on shadows.usage_key = ranked.usage_key
    and ranked.preference = 1
