-- one row per act that carries no cost, because another source's row of the same request does: by ids that both know, or
-- by a rule that the other source meters all of it. What it claims is held against what the carrier costs
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook='{{ delete_touched_days(around=2) }}',
) }}
with shadows as (
    select * from {{ ref('int_usage__deduplicated') }}
    where is_shadow
        and {{ touched_days_filter('usage_on', around=2) }}
),

matched as (
    select * from {{ ref('int_usage__matched') }}
    where {{ touched_days_filter('usage_on', around=2) }}
),

sources as (
    select * from {{ ref('stg_config__sources') }}
),

-- A carrier lies within two days of its shadow, and a shadow within two days of what was touched.
carriers as (
    select
        usage_key,
        effective_cost_usd,
        total_tokens
    from {{ ref('fct_usage') }}
    where {{ touched_days_filter('usage_on', around=4) }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
)

select
    shadows.usage_key,
    shadows.source,
    shadows.source_instance,
    shadows.evidence_layer,
    case when {{ is_covered('shadows', 'sources') }} then sources.covered_by end as covered_by,
    matched.duplicate_of_usage_key,
    coalesce(matched.carrier_source_instance, sources.covered_by) as carrier_source_instance,
    coalesce(matched.matched_by, 'coverage rule') as matched_by,
    coalesce(matched.carried_because, 'coverage rule') as carried_because,
    shadows.usage_on,
    shadows.occurred_at,
    shadows.provider,
    shadows.model_served,
    shadows.total_tokens,
    carriers.total_tokens as carrier_total_tokens,
    {{ money('shadows.reported_cost_usd') }} as reported_cost_usd,
    {{ money('carriers.effective_cost_usd') }} as carrier_cost_usd,
    {{ money('shadows.reported_cost_usd - carriers.effective_cost_usd') }} as reported_variance_usd,
    current_pass.pass_id
from shadows
cross join current_pass
left join matched
    on shadows.usage_key = matched.usage_key
left join sources
    on shadows.source_instance = sources.source_instance
left join carriers
    on matched.duplicate_of_usage_key = carriers.usage_key
