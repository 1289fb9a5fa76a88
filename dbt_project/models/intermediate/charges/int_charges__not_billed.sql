-- one row per declared charge and finished month of an owned provider that its bill does not have, or not whole, although
-- the bill of the month has begun: worth nothing here, for the bill is the whole truth
with declared as (
    select
        *,
        cast(date_trunc('month', charged_on) as date) as month_on
    from {{ ref('int_charges__declared') }}
    where is_owned
),

explained as (
    select
        provider,
        charge_id,
        charge_kind,
        cast(date_trunc('month', billed_on) as date) as month_on,
        sum(billed_cost_usd) as explained_usd
    from {{ ref('int_charges__explained') }}
    group by
        provider,
        charge_id,
        charge_kind,
        cast(date_trunc('month', billed_on) as date)
),

bills as (
    select
        provider,
        cast(date_trunc('month', billed_on) as date) as month_on
    from {{ ref('int_bills__lines') }}
    where is_authoritative
    group by
        provider,
        cast(date_trunc('month', billed_on) as date)
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

months as (
    select
        charge_kind,
        charge_id,
        provider,
        month_on,
        charge_name,
        scope_entity_key,
        allocation,
        customer_allocation,
        max(charged_on) as charged_on,
        case when count(billed_cost_usd) = count(*) then sum(billed_cost_usd) end as declared_usd
    from declared
    group by
        charge_kind,
        charge_id,
        provider,
        month_on,
        charge_name,
        scope_entity_key,
        allocation,
        customer_allocation
)

select
    months.charge_kind,
    months.charge_id,
    cast(null as {{ dbt.type_string() }}) as source,
    cast(null as {{ dbt.type_string() }}) as source_instance,
    months.provider,
    months.charged_on,
    months.charge_name as description,
    cast(null as {{ dbt.type_string() }}) as bill_line,
    false as is_metered_kind,
    months.scope_entity_key,
    months.allocation,
    months.customer_allocation,
    months.declared_usd - coalesce(explained.explained_usd, 0) as charged_amount,
    'USD' as currency_code,
    cast(0 as decimal(38, 15)) as billed_cost_usd,
    cast(0 as decimal(38, 15)) as effective_cost_usd,
    'not_on_the_bill' as finding
from months
inner join bills
    on months.provider = bills.provider
    and months.month_on = bills.month_on
cross join current_pass
left join explained
    on months.provider = explained.provider
    and months.charge_id = explained.charge_id
    and months.charge_kind = explained.charge_kind
    and months.month_on = explained.month_on
where months.month_on < cast(date_trunc('month', current_pass.as_of) as date)
    -- Of a charge whose dollars are not known it is not known whether the bill has it whole.
    and (months.declared_usd is null or months.declared_usd > coalesce(explained.explained_usd, 0))
