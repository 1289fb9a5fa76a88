-- one row per charge line, tree, node of the tree and feature (customers only): the node's part of the line. In either
-- tree the parts are the line to its last digit
with charges as (
    select
        *,
        cast(date_trunc('month', charged_on) as date) as month_on
    from {{ ref('fct_charges') }}
),

weights as (
    select * from {{ ref('int_charges__weights') }}
),

internal as (
    select entity_key from {{ ref('stg_config__entities') }}
    where tree = 'customer' and entity_type = 'internal'
),

trees as (
    select 'owner' as tree
    union all
    select 'customer' as tree
),

-- Where nobody has a weight, the node the cost was booked on has all of it; of customers, none of them.
weighed as (
    select
        charges.charge_key,
        charges.charge_kind,
        charges.provider,
        charges.charged_on,
        trees.tree,
        coalesce(
            weights.entity_key,
            case when trees.tree = 'owner' then charges.scope_entity_key else internal.entity_key end
        ) as entity_key,
        weights.feature_key,
        coalesce(weights.weight, 1) as weight,
        charges.billed_cost_usd,
        charges.effective_cost_usd
    from charges
    cross join trees
    cross join internal
    left join weights
        on charges.charge_id = weights.charge_id
        and charges.month_on = weights.month_on
        and trees.tree = weights.tree
),

parted as (
    select
        *,
        sum(weight) over (
            partition by charge_key, tree
            order by entity_key, feature_key
            rows between unbounded preceding and current row
        ) as reached_weight,
        sum(weight) over (partition by charge_key, tree) as whole_weight
    from weighed
)

select
    charge_key,
    charge_kind,
    provider,
    charged_on,
    tree,
    entity_key,
    feature_key,

    {{ allocate_usd('billed_cost_usd', 'weight', 'reached_weight', 'whole_weight') }} as billed_cost_usd,
    {{ allocate_usd('effective_cost_usd', 'weight', 'reached_weight', 'whole_weight') }} as effective_cost_usd
from parted
