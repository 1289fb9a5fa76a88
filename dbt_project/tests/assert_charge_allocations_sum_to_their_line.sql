-- In either tree the parts of a charge are the charge, to its last digit; what is unknown is unknown in every part.
{{ config(meta={'dagster': {'ref': {'name': 'fct_charge_allocations'}}}) }}
with charges as (
    select * from {{ ref('fct_charges') }}
),

parts as (
    select
        charge_key,
        tree,
        sum(billed_cost_usd) as billed_cost_usd,
        sum(effective_cost_usd) as effective_cost_usd
    from {{ ref('fct_charge_allocations') }}
    group by
        charge_key,
        tree
),

trees as (
    select 'owner' as tree
    union all
    select 'customer' as tree
)

select
    charges.charge_key,
    trees.tree,
    charges.billed_cost_usd,
    parts.billed_cost_usd as parts_billed_cost_usd
from charges
cross join trees
left join parts
    on charges.charge_key = parts.charge_key
    and trees.tree = parts.tree
where parts.charge_key is null
    or parts.billed_cost_usd is distinct from charges.billed_cost_usd
    or parts.effective_cost_usd is distinct from charges.effective_cost_usd
