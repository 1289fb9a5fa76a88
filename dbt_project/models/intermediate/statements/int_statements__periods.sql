-- one row per source instance, statement, period and subject: what a source states of a month or day, never added to acts
with totals as (
    select
        source_instance,
        'monthly usage' as statement,
        usage_month as period,
        concat_ws(' / ', subaccount_id, application, service_id, plan, measure_id) as subject,
        unit,
        quantity,
        cast(null as {{ dbt.type_string() }}) as currency_code,
        cast(null as decimal(38, 15)) as amount,
        loaded_at
    from {{ ref('stg_sap_joule__totals') }}
),

costs as (
    select
        source_instance,
        concat('monthly cost, ', reported_cost_basis) as statement,
        billing_month as period,
        concat_ws(' / ', subaccount_id, service_id, plan, measure_id, crm_sku) as subject,
        unit,
        quantity,
        currency_code,
        cost_amount as amount,
        loaded_at
    from {{ ref('stg_sap_joule__costs') }}
),

days as (
    select
        source_instance,
        'daily usage' as statement,
        cast(usage_on as {{ dbt.type_string() }}) as period,
        concat_ws(' / ', subaccount_id, application, service_id, plan, measure_id) as subject,
        unit,
        quantity,
        cast(null as {{ dbt.type_string() }}) as currency_code,
        cast(null as decimal(38, 15)) as amount,
        loaded_at
    from {{ ref('stg_sap_joule__daily_usage') }}
),

unioned as (
    select * from totals
    union all
    select * from costs
    union all
    select * from days
)

select
    'sap_joule' as source,
    unioned.*
from unioned
