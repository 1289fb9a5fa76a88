-- one row per source instance, contract, unit and day of a statement: what was bought of a vendor in advance
with openrouter as (
    select
        source_instance,
        'openrouter' as source,
        'account' as contract_id,
        'USD' as unit,
        observed_on as stated_on,
        total_credits_usd as granted_quantity,
        total_usage_usd as used_quantity,
        total_credits_usd - total_usage_usd as balance_quantity
    from {{ ref('stg_openrouter__credits') }}
),

sap_joule as (
    select
        source_instance,
        'sap_joule' as source,
        concat(global_account_id, ' ', cast(phase_starts_on as {{ dbt.type_string() }})) as contract_id,
        currency_code as unit,
        stated_on,
        sum(credits_amount) as granted_quantity,
        sum(credits_amount - balance_amount) as used_quantity,
        sum(balance_amount) as balance_quantity
    from {{ ref('stg_sap_joule__cloud_credits') }}
    group by
        source_instance,
        global_account_id,
        phase_starts_on,
        currency_code,
        stated_on
),

agentforce as (
    select
        source_instance,
        'agentforce' as source,
        coalesce(contract_id, 'org') as contract_id,
        unit,
        cast(starts_at as date) as stated_on,
        sum(quantity) as granted_quantity,
        cast(null as decimal(38, 15)) as used_quantity,
        cast(null as decimal(38, 15)) as balance_quantity
    from {{ ref('stg_agentforce__entitlements') }}
    group by
        source_instance,
        coalesce(contract_id, 'org'),
        unit,
        cast(starts_at as date)
),

unioned as (
    select * from openrouter
    union all
    select * from sap_joule
    union all
    select * from agentforce
)

select * from unioned
