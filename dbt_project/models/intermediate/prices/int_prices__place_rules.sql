-- one row per place of usage (owner, customer, feature, source), side, price rule that is about it and range of time; with
-- how specific its scope is
{{ config(materialized='table') }}

with rules as (
    select
        side,
        rule_id,
        scope,
        scope_key,
        feature_key
    from {{ ref('stg_config__price_rules') }}
    group by side, rule_id, scope, scope_key, feature_key
),

identity_matches as (
    select * from {{ ref('int_org__identity_matches') }}
),

identities as (
    select * from {{ ref('int_org__identities') }}
),

contract_sources as (
    select * from {{ ref('stg_config__contract_sources') }}
),

expanded as (
    select * from {{ ref('int_org__expanded') }}
),

nodes as (
    select * from {{ ref('int_org__nodes') }}
),

places as (
    select
        identity_matches.entity_key,
        identity_matches.customer_key,
        coalesce(identity_matches.feature_key, '') as feature_key,
        identities.source_instance,
        max(case when nodes.entity_type in ('internal', 'unattributed') then 0 else 1 end) as has_customer
    from identity_matches
    inner join identities
        on identity_matches.identity_key = identities.identity_key
    left join nodes
        on identity_matches.customer_key = nodes.entity_key
    group by
        identity_matches.entity_key,
        identity_matches.customer_key,
        coalesce(identity_matches.feature_key, ''),
        identities.source_instance
),

-- A node of a tree, its parent and so on up to the root, each while it is one; the nearest is the most specific.
of_nodes as (
    select
        places.*,
        rules.side,
        rules.rule_id,
        case rules.scope when 'customer' then 3 else 1 end as scope_rank,
        99 - expanded.depth as nearness,
        rules.feature_key as rule_feature_key,
        expanded.valid_from_at,
        expanded.valid_to_at
    from rules
    inner join expanded
        on rules.scope_key = expanded.ancestor_key
    inner join places
        on expanded.entity_key = case rules.scope when 'customer' then places.customer_key else places.entity_key end
    -- What serves no customer is sold to none, unless its node is named.
    where rules.scope in ('customer', 'entity')
        and (rules.scope = 'entity' or rules.side = 'buy' or places.has_customer = 1 or expanded.depth = 0)
),

of_contracts as (
    select
        places.*,
        rules.side,
        rules.rule_id,
        2 as scope_rank,
        0 as nearness,
        rules.feature_key as rule_feature_key,
        timestamp '1900-01-01 00:00:00' as valid_from_at,
        timestamp '9999-12-31 00:00:00' as valid_to_at
    from rules
    inner join contract_sources
        on rules.scope_key = contract_sources.contract_id
    inner join places
        on contract_sources.source_instance = places.source_instance
    where rules.scope = 'contract'
),

-- A rule for the whole installation is about every place; one that sells, where a customer is served.
of_the_installation as (
    select
        places.*,
        rules.side,
        rules.rule_id,
        0 as scope_rank,
        0 as nearness,
        rules.feature_key as rule_feature_key,
        timestamp '1900-01-01 00:00:00' as valid_from_at,
        timestamp '9999-12-31 00:00:00' as valid_to_at
    from rules
    cross join places
    where rules.scope = 'installation'
        and (rules.side = 'buy' or places.has_customer = 1)
),

unioned as (
    select * from of_nodes
    union all
    select * from of_contracts
    union all
    select * from of_the_installation
)

select
    entity_key,
    customer_key,
    feature_key,
    source_instance,
    side,
    rule_id,
    scope_rank * 100 + nearness as scope_score,
    valid_from_at,
    valid_to_at
from unioned
where rule_feature_key is null or rule_feature_key = feature_key
