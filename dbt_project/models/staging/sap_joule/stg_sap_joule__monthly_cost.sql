-- one row per change of a month's cost between two readings, of the services whose cost in USD is claimed: money without
-- tokens or quantity, since the units stand in stg_sap_joule__monthly_usage. Every cost stands in stg_sap_joule__costs
{% set keys = [
    'global_account_id', 'directory_id', 'subaccount_id', 'service_id', 'plan', 'measure_id',
    'crm_sku', 'unit', 'currency', 'is_informational',
] %}
with changes as (
    select *
    from {{ snapshot_changes(
        'sap_joule', 'monthly_cost', keys=keys, value='cost_amount', kept=['is_estimated', 'tags']
    ) }} as changed
    where not is_informational
        and currency = 'USD'
),

dated as (
    select
        *,
        cast(concat(window_key, '-01') as timestamp) as period_start_at,
        cast(concat(window_key, '-01') as timestamp) + interval '1 month' as period_end_at,
        {{ utc('extracted_at') }} as loaded_at
    from changes
),

events as (
    select
        source_instance,
        concat('cost/', window_key, '/', {{ hash_key(keys) }}, '/', load_id)
            as source_record_id,
        'saas' as evidence_layer,
        'aggregate' as fidelity,
        'snapshot_delta' as usage_origin,
        least(loaded_at, period_end_at - interval '1 second') as occurred_at,
        period_start_at,
        period_end_at,
        loaded_at,
        'sap' as provider,
        'ok' as status,
        {{ money('change') }} as reported_cost_usd,
        case when is_estimated then 'estimated' else 'billed' end as reported_cost_basis,
        global_account_id as raw_organization,
        directory_id as raw_workspace,
        nullif(subaccount_id, 'DEFAULT_SA') as raw_team,
        service_id as raw_application,
        tags,
        {{ hash_key(['change']) }} as row_hash,
        load_id,
        source_locator
    from dated
)

select
    {{ standard_event('sap_joule', given=[
        'source_instance', 'source_record_id', 'evidence_layer', 'fidelity', 'usage_origin',
        'occurred_at', 'period_start_at', 'period_end_at', 'loaded_at', 'provider', 'status',
        'reported_cost_usd', 'reported_cost_basis', 'raw_organization', 'raw_workspace',
        'raw_team', 'raw_application', 'tags', 'row_hash', 'load_id', 'source_locator',
    ]) }}
from events
