-- one row per provider and UTC day: what was metered of it, to be held against its bill. What a gateway answered from
-- its cache, or what failed for nothing, the provider has not billed
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook='{{ delete_touched_days() }}',
) }}
with usage_events as (
    select * from {{ ref('fct_usage') }}
    where {{ touched_days_filter('usage_on') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

daily as (
    select
        provider,
        usage_on,
        sum(effective_cost_usd) as metered_cost_usd,
        sum(case when price_status = 'not_charged' then 0 else total_tokens end) as metered_tokens,
        sum(case when effective_cost_usd is null then total_tokens else 0 end) as unpriced_tokens
    from usage_events
    where is_costed
        and provider is not null
    group by
        provider,
        usage_on
)

select
    daily.provider,
    daily.usage_on,
    {{ money('coalesce(daily.metered_cost_usd, 0)') }} as metered_cost_usd,
    cast(coalesce(daily.metered_tokens, 0) as bigint) as metered_tokens,
    cast(coalesce(daily.unpriced_tokens, 0) as bigint) as unpriced_tokens,
    current_pass.pass_id
from daily
cross join current_pass
