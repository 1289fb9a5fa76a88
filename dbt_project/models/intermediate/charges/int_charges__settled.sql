-- one row per line that a commitment or prepaid balance makes of what was metered, by finished UTC day: paid in advance
-- (`billed` and not yet spent), drawn down (spent, and billed before), overage, what was lost, what was short
with commitments as (
    select * from {{ ref('stg_config__commitments') }}
),

pools as (
    select * from {{ ref('int_charges__pools') }}
),

fx_rates as (
    select * from {{ ref('stg_config__fx_rates') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

used as (
    select
        pool_id,
        pool_kind,
        valid_from_on,
        sum(used_usd) as used_usd,
        max(beyond_so_far_usd) as beyond_usd
    from pools
    group by
        pool_id,
        pool_kind,
        valid_from_on
),

terms as (
    select
        commitments.*,
        {{ to_usd('commitments.term_amount', 'commitments.currency_code', 'fx_rates.usd_per_unit') }} as term_usd,
        coalesce(used.used_usd, 0) as used_usd,
        coalesce(used.beyond_usd, 0) as beyond_usd,
        cast({{ dbt.dateadd('day', -1, 'commitments.valid_to_on') }} as date) as last_on,
        cast(current_pass.as_of as date) as today_on
    from commitments
    left join fx_rates
        on commitments.currency_code = fx_rates.currency_code
        and commitments.valid_from_on >= fx_rates.valid_from_on
        and (commitments.valid_from_on < fx_rates.valid_to_on or fx_rates.valid_to_on is null)
    left join used
        on commitments.charge_id = used.pool_id
        and commitments.commitment_kind = used.pool_kind
        and commitments.valid_from_on = used.valid_from_on
    cross join current_pass
    where commitments.commitment_kind in ('drawdown', 'min_spend')
),

lines as (
    select
        charge_id,
        'commitment_purchase' as charge_kind,
        provider,
        valid_from_on as charged_on,
        term_usd as billed_cost_usd,
        case when term_usd is not null then 0 end as effective_cost_usd
    from terms
    where commitment_kind = 'drawdown'
        and valid_from_on < today_on
    union all
    select
        charge_id,
        'commitment_true_up' as charge_kind,
        provider,
        last_on as charged_on,
        term_usd - used_usd as billed_cost_usd,
        term_usd - used_usd as effective_cost_usd
    from terms
    where commitment_kind = 'min_spend'
        and last_on < today_on
        and (term_usd > used_usd or term_usd is null)
    union all
    select
        charge_id,
        'commitment_expired' as charge_kind,
        provider,
        last_on as charged_on,
        0 as billed_cost_usd,
        term_usd - (used_usd - beyond_usd) as effective_cost_usd
    from terms
    where commitment_kind = 'drawdown'
        and last_on < today_on
        and term_usd > used_usd - beyond_usd
    union all
    select
        pool_id as charge_id,
        case when pool_kind = 'prepaid' then 'prepaid_drawdown' else 'commitment_drawdown' end as charge_kind,
        provider,
        usage_on as charged_on,
        -(used_usd - beyond_usd) as billed_cost_usd,
        case when beyond_usd is not null then 0 end as effective_cost_usd
    from pools
    where pool_kind in ('drawdown', 'prepaid')
        and (used_usd <> beyond_usd or beyond_usd is null)
    union all
    select
        pools.pool_id as charge_id,
        'commitment_overage' as charge_kind,
        pools.provider,
        pools.usage_on as charged_on,
        cast(pools.beyond_usd as decimal(29, 15)) * commitments.overage_ratio as billed_cost_usd,
        cast(pools.beyond_usd as decimal(29, 15)) * commitments.overage_ratio as effective_cost_usd
    from pools
    inner join commitments
        on pools.pool_id = commitments.charge_id
        and pools.pool_kind = commitments.commitment_kind
        and pools.valid_from_on = commitments.valid_from_on
    where commitments.overage_ratio > 0
        and pools.beyond_usd > 0
)

select
    charge_id,
    charge_kind,
    provider,
    charged_on,
    {{ money('billed_cost_usd') }} as billed_cost_usd,
    {{ money('effective_cost_usd') }} as effective_cost_usd
from lines
