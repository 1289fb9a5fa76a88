-- one row per line that config/charges.yaml makes, by UTC day to the end of the month (`is_finished`: the day is over), in
-- dollars (null: the day has no rate) and with whose cost it is; `is_owned` where a source owns the provider's bill,
-- which then is the whole truth
{{ config(materialized='table') }}
with accrued as (
    select * from {{ ref('int_charges__accrued') }}
),

settled as (
    select * from {{ ref('int_charges__settled') }}
),

charges as (
    select * from {{ ref('stg_config__charges') }}
),

commitments as (
    select * from {{ ref('stg_config__commitments') }}
),

fx_rates as (
    select * from {{ ref('stg_config__fx_rates') }}
),

owned as (
    select * from {{ ref('stg_config__owned_providers') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

-- The terms of a commitment say the same of it.
definitions as (
    select charge_id, charge_name, provider, entity_key, allocation, customer_allocation, bill_line
    from charges
    union
    select charge_id, charge_name, provider, entity_key, allocation, customer_allocation, bill_line
    from commitments
),

converted as (
    select
        accrued.charge_id,
        accrued.charge_kind,
        accrued.charged_on,
        accrued.charged_amount,
        accrued.currency_code,
        {{ to_usd('accrued.reached_amount', 'accrued.currency_code', 'fx_rates.usd_per_unit') }}
        - {{ to_usd(
            'accrued.reached_amount - accrued.charged_amount', 'accrued.currency_code', 'fx_rates.usd_per_unit'
        ) }} as billed_cost_usd
    from accrued
    left join fx_rates
        on accrued.currency_code = fx_rates.currency_code
        and accrued.charged_on >= fx_rates.valid_from_on
        and (accrued.charged_on < fx_rates.valid_to_on or fx_rates.valid_to_on is null)
),

lines as (
    select
        charge_id,
        charge_kind,
        charged_on,
        charged_amount,
        currency_code,
        billed_cost_usd,
        -- Credits bought are spent by what is metered.
        case
            when charge_kind = 'prepaid_purchase' and billed_cost_usd is not null then {{ money('0') }}
            else billed_cost_usd
        end as effective_cost_usd
    from converted
    union all
    select
        charge_id,
        charge_kind,
        charged_on,
        billed_cost_usd as charged_amount,
        'USD' as currency_code,
        billed_cost_usd,
        effective_cost_usd
    from settled
)

select
    lines.charge_id,
    lines.charge_kind,
    definitions.provider,
    lines.charged_on,
    definitions.charge_name,
    definitions.bill_line,
    owned.provider is not null as is_owned,
    lines.charged_on < cast(current_pass.as_of as date) as is_finished,

    definitions.entity_key as scope_entity_key,
    definitions.allocation,
    definitions.customer_allocation,

    lines.charged_amount,
    lines.currency_code,
    lines.billed_cost_usd,
    lines.effective_cost_usd
from lines
cross join current_pass
inner join definitions
    on lines.charge_id = definitions.charge_id
left join owned
    on definitions.provider = owned.provider
