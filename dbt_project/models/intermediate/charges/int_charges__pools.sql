-- one row per commitment term or prepaid balance and day on which something was metered of its provider: what was used
-- of it, and what beyond. A prepaid balance is all purchases from the provider, and has no end
with commitments as (
    select * from {{ ref('stg_config__commitments') }}
    where commitment_kind in ('drawdown', 'min_spend')
),

purchases as (
    select * from {{ ref('stg_config__charges') }}
    where charge_kind = 'prepaid_purchase'
),

metered as (
    select * from {{ ref('int_bills__metered') }}
),

fx_rates as (
    select * from {{ ref('stg_config__fx_rates') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

-- A promise is worth what it was on its first day.
amounts as (
    select
        charge_id as pool_id,
        commitment_kind as pool_kind,
        provider,
        valid_from_on as paid_on,
        valid_from_on,
        valid_to_on,
        term_amount as paid_amount,
        currency_code
    from commitments
    union all
    select
        min(charge_id) over (partition by provider) as pool_id,
        'prepaid' as pool_kind,
        provider,
        valid_from_on as paid_on,
        min(valid_from_on) over (partition by provider) as valid_from_on,
        date '9999-12-31' as valid_to_on,
        period_amount as paid_amount,
        currency_code
    from purchases
),

paid as (
    select
        amounts.*,
        {{ to_usd('amounts.paid_amount', 'amounts.currency_code', 'fx_rates.usd_per_unit') }} as paid_usd
    from amounts
    left join fx_rates
        on amounts.currency_code = fx_rates.currency_code
        and amounts.paid_on >= fx_rates.valid_from_on
        and (amounts.paid_on < fx_rates.valid_to_on or fx_rates.valid_to_on is null)
),

-- What had been paid by the day, whole: a part of unknown worth makes all of it unknown.
daily as (
    select
        paid.pool_id,
        paid.pool_kind,
        paid.provider,
        paid.valid_from_on,
        paid.valid_to_on,
        metered.usage_on,
        metered.metered_cost_usd as used_usd,
        case when count(paid.paid_usd) = count(*) then sum(paid.paid_usd) end as paid_usd
    from paid
    inner join metered
        on paid.provider = metered.provider
        and metered.usage_on >= paid.valid_from_on
        and metered.usage_on >= paid.paid_on
        and metered.usage_on < paid.valid_to_on
    cross join current_pass
    where metered.usage_on < cast(current_pass.as_of as date)
    group by
        paid.pool_id,
        paid.pool_kind,
        paid.provider,
        paid.valid_from_on,
        paid.valid_to_on,
        metered.usage_on,
        metered.metered_cost_usd
),

run_up as (
    select
        *,
        sum(used_usd) over (
            partition by pool_kind, pool_id, valid_from_on
            order by usage_on rows between unbounded preceding and current row
        ) as used_so_far_usd
    from daily
),

-- Use is beyond once it exceeded what had been paid by then, also after more was paid: hence the highest so far.
exceeded as (
    select
        *,
        case
            when paid_usd is not null
                then
                    greatest(
                        max(used_so_far_usd - paid_usd) over (
                            partition by pool_kind, pool_id, valid_from_on
                            order by usage_on rows between unbounded preceding and current row
                        ),
                        0
                    )
        end as beyond_so_far_usd
    from run_up
)

select
    pool_id,
    pool_kind,
    provider,
    valid_from_on,
    valid_to_on,
    usage_on,
    {{ money('used_usd') }} as used_usd,
    {{ money('used_so_far_usd') }} as used_so_far_usd,
    {{ money('paid_usd') }} as paid_usd,
    {{ money(
        'beyond_so_far_usd - coalesce(lag(beyond_so_far_usd) over ('
        ~ 'partition by pool_kind, pool_id, valid_from_on order by usage_on), 0)'
    ) }} as beyond_usd,
    {{ money('beyond_so_far_usd') }} as beyond_so_far_usd
from exceeded
