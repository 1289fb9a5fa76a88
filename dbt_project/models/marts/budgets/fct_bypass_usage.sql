-- one row per gateway and key that no limit of a budget or burn rate reaches: what it used in the last 7 days; calls without a
-- key are one row
with quarter_hours as (
    select * from {{ ref('int_spend__quarter_hours') }}
),

budget_keys as (
    select * from {{ ref('fct_budget_keys') }}
),

budgets as (
    select * from {{ ref('stg_config__budgets') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

-- Keys are known of budgets that are hard or act, and of burn rates that act.
reached as (
    select
        budget_keys.source_instance,
        budget_keys.raw_key_hash
    from budget_keys
    left join budgets
        on budget_keys.budget_id = budgets.budget_id
    where budgets.action is not null or budgets.budget_id is null
    group by
        budget_keys.source_instance,
        budget_keys.raw_key_hash
),

-- A gateway at which nothing is limited has no policy to go around.
gateways as (
    select source_instance
    from reached
    group by source_instance
),

recent as (
    select quarter_hours.*
    from quarter_hours
    inner join current_pass
        on quarter_hours.bucket_start_at >= current_pass.as_of - interval '7 days'
    inner join gateways
        on quarter_hours.source_instance = gateways.source_instance
)

select
    recent.source,
    recent.source_instance,
    recent.raw_key_hash,
    max(recent.raw_key_alias) as raw_key_alias,
    cast(sum(recent.requests_count) as bigint) as requests_count,
    cast(sum(recent.total_tokens) as bigint) as total_tokens,
    {{ money('sum(coalesce(recent.effective_cost_usd, 0) + coalesce(recent.estimated_cost_usd, 0))') }} as cost_usd,
    min(recent.bucket_start_at) as first_usage_at,
    max(recent.bucket_start_at) as last_usage_at
from recent
left join reached
    on recent.source_instance = reached.source_instance
    and recent.raw_key_hash = reached.raw_key_hash
where reached.raw_key_hash is null
group by
    recent.source,
    recent.source_instance,
    recent.raw_key_hash
