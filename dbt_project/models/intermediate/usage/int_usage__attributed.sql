-- one row per act that is no shadow, with its place in both trees and the price rules of that place; a plain join, so day filters reach
-- below it
with usage_events as (
    select * from {{ ref('int_usage__deduplicated') }}
    -- What another row carries is told apart in trust.fct_duplicate_usage, and is no act of its own.
    where not is_shadow
),

identity_matches as (
    select * from {{ ref('int_prices__identity_scopes') }}
),

unattributed as (
    select
        max(case when tree = 'owner' then entity_key end) as entity_key,
        max(case when tree = 'customer' then entity_key end) as customer_key
    from {{ ref('stg_config__entities') }}
    where entity_type = 'unattributed'
)

select
    usage_events.*,
    coalesce(identity_matches.entity_key, unattributed.entity_key) as entity_key,
    coalesce(identity_matches.customer_key, unattributed.customer_key) as customer_key,
    identity_matches.user_key,
    identity_matches.agent_key,
    identity_matches.application_key,
    identity_matches.feature_key,
    identity_matches.attributed_by,
    identity_matches.customer_attributed_by,
    coalesce(identity_matches.buy_scope_number, 0) as buy_scope_number,
    coalesce(identity_matches.sell_scope_number, 0) as sell_scope_number
from usage_events
cross join unattributed
left join identity_matches
    on usage_events.identity_key = identity_matches.identity_key
