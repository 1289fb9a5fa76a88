-- one row per declared charge, calendar month, tree, node and feature (customers only): the weight by which it shares.
-- A charge that finds nobody has no row: its cost stays where it was booked
with charges as (
    select
        *,
        cast(date_trunc('month', charged_on) as date) as month_on
    from {{ ref('fct_charges') }}
),

usage_shares as (
    select * from {{ ref('int_charges__usage_shares') }}
),

shares as (
    select * from {{ ref('stg_config__charge_shares') }}
),

expanded as (
    select * from {{ ref('int_org__expanded') }}
),

nodes as (
    select * from {{ ref('int_org__nodes') }}
),

ways as (
    select
        charge_id,
        scope_entity_key,
        allocation,
        customer_allocation,
        provider,
        month_on
    from charges
    where charge_id is not null
    group by
        charge_id,
        scope_entity_key,
        allocation,
        customer_allocation,
        provider,
        month_on
),

-- A month's tree is that of its last day.
scopes as (
    select
        ways.charge_id,
        ways.allocation,
        ways.provider,
        ways.month_on,
        expanded.entity_key,
        nodes.entity_type,
        expanded.depth
    from ways
    inner join expanded
        on ways.scope_entity_key = expanded.ancestor_key
        and expanded.tree = 'owner'
        and {{ dbt.dateadd('month', 1, 'ways.month_on') }} > expanded.valid_from_at
        and {{ dbt.dateadd('month', 1, 'ways.month_on') }} <= expanded.valid_to_at
    inner join nodes
        on expanded.entity_key = nodes.entity_key
    where ways.allocation in ('by_usage', 'by_headcount')
),

-- A user counts at the node right above, or at the scope where that is the user itself.
heads as (
    select
        scopes.charge_id,
        scopes.month_on,
        coalesce(above.ancestor_key, scopes.entity_key) as entity_key,
        count(*) as weight
    from scopes
    left join expanded as above
        on scopes.entity_key = above.entity_key
        and above.depth = 1
        and scopes.depth > 0
        and {{ dbt.dateadd('month', 1, 'scopes.month_on') }} > above.valid_from_at
        and {{ dbt.dateadd('month', 1, 'scopes.month_on') }} <= above.valid_to_at
    where scopes.allocation = 'by_headcount'
        and scopes.entity_type = 'user'
    group by
        scopes.charge_id,
        scopes.month_on,
        coalesce(above.ancestor_key, scopes.entity_key)
),

used as (
    select
        scopes.charge_id,
        scopes.month_on,
        'owner' as tree,
        usage_shares.entity_key,
        usage_shares.feature_key,
        usage_shares.provider,
        usage_shares.usage_weight
    from scopes
    inner join usage_shares
        on scopes.month_on = usage_shares.month_on
        and scopes.entity_key = usage_shares.entity_key
        and usage_shares.tree = 'owner'
        and (scopes.provider = usage_shares.provider or usage_shares.provider is null)
    where scopes.allocation = 'by_usage'
    union all
    select
        ways.charge_id,
        ways.month_on,
        'customer' as tree,
        usage_shares.entity_key,
        usage_shares.feature_key,
        usage_shares.provider,
        usage_shares.usage_weight
    from ways
    inner join usage_shares
        on ways.month_on = usage_shares.month_on
        and usage_shares.tree = 'customer'
        and (ways.provider = usage_shares.provider or usage_shares.provider is null)
    where ways.customer_allocation = 'by_usage'
),

-- The use of the provider itself decides where there is any.
nearest as (
    select
        *,
        max(case when provider is not null then 1 else 0 end) over (
            partition by charge_id, month_on, tree
        ) as has_own_use
    from used
)

select charge_id, month_on, tree, entity_key, feature_key, usage_weight as weight
from nearest
where (provider is not null and has_own_use = 1)
    or (provider is null and has_own_use = 0)
union all
select charge_id, month_on, 'owner' as tree, entity_key, cast(null as {{ dbt.type_string() }}) as feature_key, weight
from heads
union all
select
    ways.charge_id,
    ways.month_on,
    'owner' as tree,
    shares.entity_key,
    cast(null as {{ dbt.type_string() }}) as feature_key,
    cast(shares.share_ratio * 1000000 as bigint) as weight
from ways
inner join shares
    on ways.charge_id = shares.charge_id
where ways.allocation = 'fixed_shares'
