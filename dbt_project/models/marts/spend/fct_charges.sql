-- one row per charge line: cost that no metered act carries. Declared charges by the finished day they are for; what the
-- bill that owns a provider says beyond what was metered, and what of it a declared charge explains. Of an owned
-- provider only the bill counts: a declared charge that it does not have is a finding, worth nothing
with declared as (
    select * from {{ ref('int_charges__declared') }}
),

billed as (
    select * from {{ ref('int_charges__billed_unmetered') }}
),

explained as (
    select * from {{ ref('int_charges__explained') }}
),

not_billed as (
    select * from {{ ref('int_charges__not_billed') }}
),

unconverted as (
    select * from {{ ref('int_charges__unconverted') }}
),

unattributed as (
    select entity_key from {{ ref('stg_config__entities') }}
    where tree = 'owner' and entity_type = 'unattributed'
),

explained_lines as (
    select
        source_instance,
        provider,
        billed_on,
        description,
        sum(billed_cost_usd) as explained_usd
    from explained
    group by
        source_instance,
        provider,
        billed_on,
        description
),

lines as (
    select
        charge_kind,
        charge_id,
        cast(null as {{ dbt.type_string() }}) as source,
        cast(null as {{ dbt.type_string() }}) as source_instance,
        provider,
        charged_on,
        charge_name as description,
        cast(null as {{ dbt.type_string() }}) as bill_line,
        false as is_metered_kind,
        scope_entity_key,
        allocation,
        customer_allocation,
        charged_amount,
        currency_code,
        billed_cost_usd,
        effective_cost_usd,
        case when billed_cost_usd is null then 'no_fx_rate' end as finding
    from declared
    where not is_owned
        and is_finished
    union all
    select
        charge_kind,
        charge_id,
        source,
        source_instance,
        provider,
        billed_on as charged_on,
        charge_name as description,
        description as bill_line,
        false as is_metered_kind,
        scope_entity_key,
        allocation,
        customer_allocation,
        billed_cost_usd as charged_amount,
        'USD' as currency_code,
        billed_cost_usd,
        billed_cost_usd as effective_cost_usd,
        cast(null as {{ dbt.type_string() }}) as finding
    from explained
    union all
    select
        'billed_unmetered' as charge_kind,
        cast(null as {{ dbt.type_string() }}) as charge_id,
        billed.source,
        billed.source_instance,
        billed.provider,
        billed.billed_on as charged_on,
        billed.description,
        billed.description as bill_line,
        billed.is_metered_kind,
        unattributed.entity_key as scope_entity_key,
        'none' as allocation,
        'none' as customer_allocation,
        billed.billed_cost_usd - coalesce(explained_lines.explained_usd, 0) as charged_amount,
        'USD' as currency_code,
        billed.billed_cost_usd - coalesce(explained_lines.explained_usd, 0) as billed_cost_usd,
        billed.billed_cost_usd - coalesce(explained_lines.explained_usd, 0) as effective_cost_usd,
        cast(null as {{ dbt.type_string() }}) as finding
    from billed
    cross join unattributed
    left join explained_lines
        on not billed.is_metered_kind
        and billed.source_instance = explained_lines.source_instance
        and billed.provider = explained_lines.provider
        and billed.billed_on = explained_lines.billed_on
        and billed.description = explained_lines.description
    where billed.billed_cost_usd <> coalesce(explained_lines.explained_usd, 0)
    union all
    select * from not_billed
    union all
    select * from unconverted
)

select
    {{ hash_key([
        'charge_kind', 'charge_id', 'source_instance', 'provider', 'charged_on', 'is_metered_kind', 'bill_line',
        'finding', 'currency_code',
    ]) }} as charge_key,
    charge_kind,
    charge_id,
    source,
    source_instance,

    provider,
    charged_on,
    description,
    scope_entity_key,
    allocation,
    customer_allocation,
    finding,

    {{ money('charged_amount') }} as charged_amount,
    currency_code,
    {{ money('billed_cost_usd') }} as billed_cost_usd,
    {{ money('effective_cost_usd') }} as effective_cost_usd
from lines
