-- one row per UTC day, source instance, provider and model of which acts have both: what the source says they cost, against
-- what they cost by our own rates
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook='{{ delete_touched_days() }}',
) }}
with usage_events as (
    select * from {{ ref('fct_usage') }}
    where reported_variance_usd is not null
        and {{ touched_days_filter('usage_on') }}
),

sources as (
    select * from {{ ref('stg_config__sources') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

summed as (
    select
        usage_on,
        source_instance,
        provider,
        model_id,
        count(*) as requests_count,
        {{ money('sum(reported_cost_usd)') }} as reported_cost_usd,
        {{ money('sum(contracted_cost_usd)') }} as contracted_cost_usd,
        {{ money('sum(reported_variance_usd)') }} as variance_usd
    from usage_events
    group by usage_on, source_instance, provider, model_id
)

select
    summed.usage_on,
    summed.source_instance,
    summed.provider,
    summed.model_id,

    cast(summed.requests_count as bigint) as requests_count,
    summed.reported_cost_usd,
    summed.contracted_cost_usd,
    summed.variance_usd,
    {{ ratio('summed.variance_usd', 'summed.contracted_cost_usd') }} as variance_ratio,
    -- Under a cent a day nothing is worth a person's look.
    abs(summed.variance_usd)
    > greatest({{ money_times('summed.contracted_cost_usd', 'coalesce(sources.cost_tolerance_ratio, 0.02)') }}, 0.01)
        as is_beyond_tolerance,
    current_pass.pass_id
from summed
cross join current_pass
left join sources
    on summed.source_instance = sources.source_instance
