-- one row per UTC day and source instance: how much of what was metered has a price, an owner and a customer, and how
-- much of the cost rests on something weaker than a rate stated for the day
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
        and is_costed
),

unattributed as (
    select
        max(case when tree = 'owner' then entity_key end) as owner_key,
        max(case when tree = 'customer' then entity_key end) as customer_key
    from {{ ref('int_org__nodes') }}
    where entity_type = 'unattributed'
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

-- Each question as a 1 or a 0, so that acts and tokens are counted alike.
asked as (
    select
        usage_events.usage_on,
        usage_events.source_instance,
        coalesce(usage_events.total_tokens, 0) as tokens,
        usage_events.effective_cost_usd,
        usage_events.estimated_cost_usd,
        abs(coalesce(usage_events.total_mismatch_tokens, 0)) as mismatch_tokens,
        case when usage_events.effective_cost_usd is null then 1 else 0 end as unpriced,
        case when usage_events.entity_key = unattributed.owner_key then 1 else 0 end as unattributed_owner,
        case when usage_events.customer_key = unattributed.customer_key then 1 else 0 end as unattributed_customer,
        case when coalesce(usage_events.total_mismatch_tokens, 0) <> 0 then 1 else 0 end as mismatched,
        case when usage_events.is_price_backcast then 1 else 0 end as backcast,
        case when usage_events.price_status = 'priced_fallback' then 1 else 0 end as fallback
    from usage_events
    cross join unattributed
),

summed as (
    select
        usage_on,
        source_instance,
        count(*) as requests_count,
        sum(tokens) as total_tokens,
        sum(effective_cost_usd) as effective_cost_usd,
        sum(estimated_cost_usd) as estimated_cost_usd,
        sum(mismatch_tokens) as total_mismatch_tokens,
        {% for question in ['unpriced', 'unattributed_owner', 'unattributed_customer', 'mismatched', 'backcast', 'fallback'] -%}
        sum({{ question }}) as {{ question }}_requests_count,
        sum({{ question }} * tokens) as {{ question }}_tokens,
        sum(case when {{ question }} = 1 then coalesce(effective_cost_usd, 0) else 0 end) as {{ question }}_cost_usd
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from asked
    group by
        usage_on,
        source_instance
)

select
    summed.usage_on,
    summed.source_instance,

    summed.requests_count,
    cast(summed.total_tokens as bigint) as total_tokens,
    {{ money('coalesce(summed.effective_cost_usd, 0)') }} as effective_cost_usd,

    cast(summed.unpriced_requests_count as bigint) as unpriced_requests_count,
    cast(summed.unpriced_tokens as bigint) as unpriced_tokens,
    {{ money('coalesce(summed.estimated_cost_usd, 0)') }} as estimated_cost_usd,

    cast(summed.unattributed_owner_requests_count as bigint) as unattributed_owner_requests_count,
    cast(summed.unattributed_owner_tokens as bigint) as unattributed_owner_tokens,
    {{ money('summed.unattributed_owner_cost_usd') }} as unattributed_owner_cost_usd,
    cast(summed.unattributed_customer_requests_count as bigint) as unattributed_customer_requests_count,
    cast(summed.unattributed_customer_tokens as bigint) as unattributed_customer_tokens,
    {{ money('summed.unattributed_customer_cost_usd') }} as unattributed_customer_cost_usd,

    cast(summed.mismatched_requests_count as bigint) as mismatched_requests_count,
    cast(summed.total_mismatch_tokens as bigint) as total_mismatch_tokens,

    cast(summed.backcast_tokens as bigint) as backcast_tokens,
    {{ money('summed.backcast_cost_usd') }} as backcast_cost_usd,
    cast(summed.fallback_tokens as bigint) as fallback_tokens,
    {{ money('summed.fallback_cost_usd') }} as fallback_cost_usd,

    {% for share, part, whole in [
        ('unpriced_tokens_ratio', 'unpriced_tokens', 'total_tokens'),
        ('unpriced_requests_ratio', 'unpriced_requests_count', 'requests_count'),
        ('unattributed_owner_tokens_ratio', 'unattributed_owner_tokens', 'total_tokens'),
        ('unattributed_customer_tokens_ratio', 'unattributed_customer_tokens', 'total_tokens'),
        ('mismatched_requests_ratio', 'mismatched_requests_count', 'requests_count'),
        ('backcast_tokens_ratio', 'backcast_tokens', 'total_tokens'),
        ('fallback_tokens_ratio', 'fallback_tokens', 'total_tokens'),
    ] -%}
    cast(summed.{{ part }} as double precision) / nullif(summed.{{ whole }}, 0) as {{ share }},
    {% endfor %}
    current_pass.pass_id
from summed
cross join current_pass
