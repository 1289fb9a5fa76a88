-- one row per change of a month's total between two readings. Tokens are informational and unsplit: a total that rose is
-- the bucket, one that fell shows as total_mismatch_tokens, since no bucket is negative. Everything else is a signed
-- quantity. An AI measure that no meter knows has the unit `unmapped`
{% set keys = [
    'global_account_id', 'directory_id', 'subaccount_id', 'environment_instance_id', 'space_id',
    'instance_id', 'application', 'service_id', 'plan', 'measure_id', 'unit', 'aggregation',
    'is_informational',
] %}
with changes as (
    select *
    from {{ snapshot_changes(
        'sap_joule', 'monthly_usage', keys=keys, value='usage', kept=['data_center', 'tags'],
        is_peak="aggregation = 'max'"
    ) }} as changed
    where unit <> 'other'
),

dated as (
    select
        *,
        cast(concat(window_key, '-01') as timestamp) as period_start_at,
        cast(concat(window_key, '-01') as timestamp) + interval '1 month' as period_end_at,
        {{ utc('extracted_at') }} as loaded_at,
        unit in ('input_tokens', 'output_tokens') as is_token_count
    from changes
),

events as (
    select
        source_instance,
        concat(window_key, '/', {{ hash_key(keys) }}, '/', load_id) as source_record_id,
        'saas' as evidence_layer,
        'aggregate' as fidelity,
        'snapshot_delta' as usage_origin,
        is_informational,
        -- Seen within the month at the time of the reading, later at the month's last second.
        least(loaded_at, period_end_at - interval '1 second') as occurred_at,
        period_start_at,
        period_end_at,
        loaded_at,
        'sap' as provider,
        case when service_id = 'ai-core' then application end as model_served,
        data_center as region,
        'ok' as status,
        cast(case when unit = 'input_tokens' then greatest(change, 0) else 0 end as bigint)
            as input_tokens,
        cast(case when unit = 'output_tokens' then greatest(change, 0) else 0 end as bigint)
            as output_tokens,
        case when not is_token_count then unit end as unit,
        case when not is_token_count then change end as quantity,
        case when is_token_count then 'unsplit' end as token_convention,
        case when is_token_count then cast(least(change, 0) as bigint) end
            as total_mismatch_tokens,
        global_account_id as raw_organization,
        directory_id as raw_workspace,
        -- What is reported at the level of the global account has no owner.
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
        'is_informational', 'occurred_at', 'period_start_at', 'period_end_at', 'loaded_at',
        'provider', 'model_served', 'region', 'status', 'input_tokens', 'output_tokens', 'unit',
        'quantity', 'token_convention', 'total_mismatch_tokens', 'raw_organization',
        'raw_workspace', 'raw_team', 'raw_application', 'tags', 'row_hash', 'load_id',
        'source_locator',
    ]) }}
from events
