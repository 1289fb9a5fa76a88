-- one row per UTC day and node of either tree: what is booked on the node itself, and with everything below it by the
-- tree as it stood
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook='{{ delete_touched_days() }}',
) }}
with quarter_hours as (
    select * from {{ ref('int_spend__quarter_hours') }}
    where {{ touched_days_filter('usage_on') }}
),

expanded as (
    select * from {{ ref('int_org__expanded') }}
),

-- Each event has a place in both trees (DESIGN D20).
placed as (
    select
        usage_on,
        bucket_start_at,
        'owner' as tree,
        entity_key as node_key,
        requests_count,
        unpriced_requests_count,
        total_tokens,
        effective_cost_usd,
        estimated_cost_usd,
        pass_id
    from quarter_hours
    union all
    select
        usage_on,
        bucket_start_at,
        'customer' as tree,
        customer_key as node_key,
        requests_count,
        unpriced_requests_count,
        total_tokens,
        effective_cost_usd,
        estimated_cost_usd,
        pass_id
    from quarter_hours
),

booked as (
    select
        usage_on,
        bucket_start_at,
        tree,
        node_key,
        sum(requests_count) as requests_count,
        sum(unpriced_requests_count) as unpriced_requests_count,
        sum(total_tokens) as total_tokens,
        sum(effective_cost_usd) as effective_cost_usd,
        sum(estimated_cost_usd) as estimated_cost_usd,
        max(pass_id) as pass_id
    from placed
    group by
        usage_on,
        bucket_start_at,
        tree,
        node_key
),

-- Ancestors as the tree stood when the usage happened.
raised as (
    select
        booked.*,
        expanded.ancestor_key,
        expanded.depth = 0 as is_own
    from booked
    inner join expanded
        on booked.node_key = expanded.entity_key
        and booked.tree = expanded.tree
        and booked.bucket_start_at >= expanded.valid_from_at
        and booked.bucket_start_at < expanded.valid_to_at
)

select
    usage_on,
    ancestor_key as entity_key,
    tree,

    cast(sum(case when is_own then requests_count else 0 end) as bigint) as individual_requests_count,
    cast(sum(case when is_own then unpriced_requests_count else 0 end) as bigint)
        as individual_unpriced_requests_count,
    cast(sum(case when is_own then total_tokens else 0 end) as bigint) as individual_tokens,
    {{ money('sum(case when is_own then effective_cost_usd else 0 end)') }}
        as individual_effective_cost_usd,
    {{ money('sum(case when is_own then estimated_cost_usd else 0 end)') }}
        as individual_estimated_cost_usd,

    cast(sum(requests_count) as bigint) as consolidated_requests_count,
    cast(sum(unpriced_requests_count) as bigint) as consolidated_unpriced_requests_count,
    cast(sum(total_tokens) as bigint) as consolidated_tokens,
    {{ money('sum(effective_cost_usd)') }} as consolidated_effective_cost_usd,
    {{ money('sum(estimated_cost_usd)') }} as consolidated_estimated_cost_usd,

    max(pass_id) as pass_id
from raised
group by
    usage_on,
    ancestor_key,
    tree
