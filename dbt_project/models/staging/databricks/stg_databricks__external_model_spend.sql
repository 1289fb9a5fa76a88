-- one row per version of a spend record: dollars without tokens. Where calls of its hour, model and tags were read they
-- carry the money in shares and the record is informational; where none were, the record carries it
with spend as (
    select * from {{ ref('stg_databricks__spend_records') }}
),

readings as (
    select * from {{ ref('stg_databricks__hour_readings') }}
),

call_groups as (
    select
        source_instance,
        window_key,
        reading_load_id,
        spend_key
    from {{ ref('stg_databricks__invocations') }}
    where spend_weight > 0 and not is_removed
    group by
        source_instance,
        window_key,
        reading_load_id,
        spend_key
),

-- A record is a new version when it was read again, and when the calls of its hour were.
stated as (
    select
        spend.*,
        readings.load_id,
        spend.spent_usd is not null and call_groups.spend_key is not null as is_informational
    from spend
    inner join readings
        on spend.source_instance = readings.source_instance
        and spend.window_key = readings.window_key
        and spend.reading_load_id = readings.spend_load_id
    left join call_groups
        on readings.source_instance = call_groups.source_instance
        and readings.window_key = call_groups.window_key
        and readings.calls_load_id = call_groups.reading_load_id
        and spend.spend_key = call_groups.spend_key
    where not spend.is_removed
    union all
    select
        *,
        version_load_id as load_id,
        false as is_informational
    from spend
    where is_removed
),

events as (
    select
        *,
        concat('spend:', record_id) as source_record_id,
        {{ hash_key(['version_hash', 'is_informational']) }} as row_hash,
        'provider_log' as evidence_layer,
        'aggregate' as fidelity,
        'bucket' as usage_origin,
        period_start_at as occurred_at,
        model as model_served,
        'ok' as status,
        lower(usage_unit) as unit,
        usage_quantity as quantity,
        spent_usd as reported_cost_usd,
        'estimated' as reported_cost_basis,
        account_id as raw_organization,
        workspace_id as raw_workspace,
        {{ json_text('request_tags', 'team') }} as raw_team,
        {{ json_text('request_tags', 'user') }} as raw_user,
        coalesce(
            {{ json_text('request_tags', 'customer') }}, {{ json_text('request_tags', 'customer_id') }}
        ) as raw_customer,
        {{ json_text('request_tags', 'agent') }} as raw_agent,
        coalesce(
            {{ json_text('request_tags', 'application') }}, {{ json_text('request_tags', 'app') }}
        ) as raw_application,
        {{ json_text('request_tags', 'feature') }} as raw_feature,
        request_tags as tags
    from stated
)

select
    {{ standard_event('databricks', given=[
        'source_instance', 'source_record_id', 'evidence_layer', 'fidelity', 'usage_origin',
        'is_informational', 'occurred_at', 'period_start_at', 'period_end_at', 'loaded_at',
        'provider', 'model_served', 'status', 'unit', 'quantity', 'reported_cost_usd',
        'reported_cost_basis', 'raw_organization', 'raw_workspace', 'raw_team', 'raw_user',
        'raw_customer', 'raw_agent', 'raw_application', 'raw_feature', 'tags', 'row_hash',
        'load_id', 'source_locator', 'is_removed',
    ]) }}
from events
