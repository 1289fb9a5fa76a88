-- one row per act: what was used, by whom, and what it cost
-- depends_on: {{ ref('int_usage__touched_days') }}, {{ ref('int_usage__replaced') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook='{{ delete_touched_days() }}',
) }}
with priced as (
    select * from {{ ref('int_usage__charged') }}
    where {{ touched_days_filter('usage_on') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
)

select
    -- keys
    priced.usage_key,
    priced.source,
    priced.source_instance,
    priced.source_record_id,
    priced.request_id,
    priced.trace_id,
    priced.session_id,

    -- place in both trees
    priced.entity_key,
    priced.customer_key,
    priced.user_key,
    priced.agent_key,
    priced.application_key,
    priced.feature_key,
    priced.attributed_by,
    priced.customer_attributed_by,

    -- evidence
    priced.evidence_layer,
    priced.fidelity,
    priced.usage_origin,
    priced.is_informational,
    priced.is_costed,

    -- time
    priced.occurred_at,
    priced.usage_on,
    priced.period_start_at,
    priced.period_end_at,
    priced.loaded_at,
    priced.latency_ms,
    priced.ttft_ms,

    -- what
    coalesce(priced.canonical_provider, priced.provider) as provider,
    priced.model_requested,
    priced.model_served,
    priced.model_id,
    priced.operation,
    priced.service_tier,
    priced.region,
    priced.status,
    priced.is_gateway_cache_hit,
    priced.attempt,

    -- tokens, in disjoint buckets
    priced.input_tokens,
    priced.cache_read_tokens,
    priced.cache_write_5m_tokens,
    priced.cache_write_30m_tokens,
    priced.cache_write_1h_tokens,
    priced.cache_write_12h_tokens,
    priced.output_tokens,
    priced.reasoning_tokens,
    priced.audio_input_tokens,
    priced.audio_output_tokens,
    priced.image_input_tokens,
    priced.image_output_tokens,
    priced.total_input_tokens,
    priced.total_output_tokens,
    priced.total_tokens,
    priced.unit,
    priced.quantity,
    priced.total_mismatch_tokens,

    -- cost, USD
    priced.price_status,
    priced.cost_basis,
    priced.cost_policy,
    priced.price_version_key,
    priced.unit_rate_key,
    priced.price_rule_id,
    priced.sell_rule_id,
    priced.is_price_backcast,
    {{ money('priced.list_input_cost_usd') }} as list_input_cost_usd,
    {{ money('priced.list_cache_read_cost_usd') }} as list_cache_read_cost_usd,
    {{ money('priced.list_cache_write_5m_cost_usd') }} as list_cache_write_5m_cost_usd,
    {{ money('priced.list_cache_write_30m_cost_usd') }} as list_cache_write_30m_cost_usd,
    {{ money('priced.list_cache_write_1h_cost_usd') }} as list_cache_write_1h_cost_usd,
    {{ money('priced.list_cache_write_12h_cost_usd') }} as list_cache_write_12h_cost_usd,
    {{ money('priced.list_output_cost_usd') }} as list_output_cost_usd,
    {{ money('priced.list_reasoning_cost_usd') }} as list_reasoning_cost_usd,
    {{ money('priced.list_audio_input_cost_usd') }} as list_audio_input_cost_usd,
    {{ money('priced.list_audio_output_cost_usd') }} as list_audio_output_cost_usd,
    {{ money('priced.list_image_input_cost_usd') }} as list_image_input_cost_usd,
    {{ money('priced.list_image_output_cost_usd') }} as list_image_output_cost_usd,
    {{ money('priced.list_request_cost_usd') }} as list_request_cost_usd,
    {{ money('priced.list_unit_cost_usd') }} as list_unit_cost_usd,
    {{ money('priced.list_cost_usd') }} as list_cost_usd,
    {{ money('priced.contracted_cost_usd') }} as contracted_cost_usd,
    priced.reported_cost_usd,
    priced.reported_cost_basis,
    {{ money('priced.effective_cost_usd') }} as effective_cost_usd,
    {{ money('priced.reported_variance_usd') }} as reported_variance_usd,
    {{ money('priced.estimated_cost_usd') }} as estimated_cost_usd,
    {{ money('priced.charged_usd') }} as charged_usd,
    {{ money('priced.margin_usd') }} as margin_usd,

    -- as the source said it
    priced.token_convention,
    priced.raw_organization,
    priced.raw_workspace,
    priced.raw_team,
    priced.raw_user,
    priced.raw_customer,
    priced.raw_agent,
    priced.raw_application,
    priced.raw_feature,
    priced.raw_key_hash,
    priced.raw_key_alias,
    priced.tags,

    -- version
    priced.row_hash,
    priced.load_id,
    priced.source_locator,
    current_pass.pass_id
from priced
cross join current_pass
