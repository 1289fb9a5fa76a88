-- one row per UTC day, customer and feature: what metered use cost and was charged
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook='{{ delete_touched_days() }}',
) }}
with quarter_hours as (
    select * from {{ ref('int_spend__quarter_hours') }}
    where {{ touched_days_filter('usage_on') }}
)

select
    usage_on,
    customer_key,
    coalesce(feature_key, '') as feature_key,
    cast(sum(requests_count) as bigint) as requests_count,
    cast(sum(unpriced_requests_count) as bigint) as unpriced_requests_count,
    cast(sum(uncharged_requests_count) as bigint) as uncharged_requests_count,
    cast(sum(sold_requests_count) as bigint) as sold_requests_count,
    cast(sum(charged_requests_count) as bigint) as charged_requests_count,
    {{ money('sum(effective_cost_usd)') }} as effective_cost_usd,
    {{ money('sum(estimated_cost_usd)') }} as estimated_cost_usd,
    {{ money('sum(charged_usd)') }} as charged_usd,
    {{ money('sum(sold_cost_usd)') }} as sold_cost_usd,
    {{ money('sum(margin_usd)') }} as margin_usd,
    max(pass_id) as pass_id
from quarter_hours
group by
    usage_on,
    customer_key,
    coalesce(feature_key, '')
