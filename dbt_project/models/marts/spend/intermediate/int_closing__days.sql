-- one row per UTC day, owner entity, customer, feature, source, provider and model: what a statement adds up
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook='{{ delete_touched_days() }}',
) }}
{% set dimensions = statement_dimensions() | reject('equalto', 'line_kind') | list %}
with usage_events as (
    select * from {{ ref('fct_usage') }}
    where {{ touched_days_filter('usage_on') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

days as (
    select
        usage_on,
        {{ dimensions | join(',\n        ') }},
        {{ money('coalesce(sum(list_cost_usd), 0)') }} as list_cost_usd,
        {{ money('coalesce(sum(effective_cost_usd), 0)') }} as effective_cost_usd,
        {{ money('coalesce(sum(estimated_cost_usd), 0)') }} as estimated_cost_usd,
        {{ money('coalesce(sum(charged_usd), 0)') }} as charged_usd,
        count(*) as requests_count,
        cast(coalesce(sum(total_tokens), 0) as bigint) as total_tokens
    from usage_events
    group by
        usage_on,
        {{ dimensions | join(',\n        ') }}
)

select
    days.*,
    current_pass.pass_id
from days
cross join current_pass
