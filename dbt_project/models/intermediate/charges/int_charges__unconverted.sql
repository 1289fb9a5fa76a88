-- one row per bill, finished UTC day, line by name and currency without a rate of exchange on its day: it is on the bill,
-- its dollars are not known and in no total
with lines as (
    select
        *,
        case when is_metered_kind then 'Model use beyond what was metered' else coalesce(line_item, meter) end
            as description
    from {{ ref('int_bills__lines') }}
    where is_authoritative
        and billed_cost_usd is null
        and billed_amount is not null
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

unattributed as (
    select entity_key from {{ ref('stg_config__entities') }}
    where tree = 'owner' and entity_type = 'unattributed'
)

select
    'billed_unmetered' as charge_kind,
    cast(null as {{ dbt.type_string() }}) as charge_id,
    lines.source,
    lines.source_instance,
    lines.provider,
    lines.billed_on as charged_on,
    lines.description,
    lines.description as bill_line,
    lines.is_metered_kind,
    unattributed.entity_key as scope_entity_key,
    'none' as allocation,
    'none' as customer_allocation,
    sum(lines.billed_amount) as charged_amount,
    lines.currency_code,
    cast(null as decimal(38, 15)) as billed_cost_usd,
    cast(null as decimal(38, 15)) as effective_cost_usd,
    'no_fx_rate' as finding
from lines
cross join current_pass
cross join unattributed
where lines.billed_on < cast(current_pass.as_of as date)
group by
    lines.source,
    lines.source_instance,
    lines.provider,
    lines.billed_on,
    lines.description,
    lines.is_metered_kind,
    unattributed.entity_key,
    lines.currency_code
