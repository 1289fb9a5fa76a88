-- one row per UTC day, owner entity, customer, feature, system, provider, model, operation and kind. Token kinds carry
-- their list cost and `adjustment` what is left to the effective cost, so that the sum is always the effective cost
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook='{{ delete_touched_days() }}',
) }}
{% set dimensions = [
    'usage_on', 'entity_key', 'customer_key', 'feature_key', 'source', 'source_instance', 'provider', 'model_id',
    'operation',
] %}
with quarter_hours as (
    select * from {{ ref('int_spend__quarter_hours') }}
    where {{ touched_days_filter('usage_on') }}
),

days as (
    select
        {{ dimensions | join(',\n        ') }},
        cast(sum(requests_count) as bigint) as requests_count,
        {% for kind in token_kinds() -%}
        cast(sum({{ kind }}_tokens) as bigint) as {{ kind }}_tokens,
        sum(list_{{ kind }}_cost_usd) as list_{{ kind }}_cost_usd,
        {% endfor -%}
        sum(list_request_cost_usd) as list_request_cost_usd,
        sum(list_unit_cost_usd) as list_unit_cost_usd,
        sum(list_cost_usd) as list_cost_usd,
        sum(effective_cost_usd) as effective_cost_usd,
        sum(estimated_cost_usd) as estimated_cost_usd,
        max(pass_id) as pass_id
    from quarter_hours
    group by
        {{ dimensions | join(',\n        ') }}
),

kinds as (
    {% for kind in token_kinds() -%}
    select
        {{ dimensions | join(', ') }},
        '{{ kind }}' as token_kind,
        {{ kind }}_tokens as quantity,
        {{ money('list_' ~ kind ~ '_cost_usd') }} as effective_cost_usd,
        {{ money('0') }} as estimated_cost_usd,
        pass_id
    from days
    where {{ kind }}_tokens > 0
    union all
    {% endfor -%}
    select
        {{ dimensions | join(', ') }},
        'requests' as token_kind,
        requests_count as quantity,
        {{ money('0') }} as effective_cost_usd,
        {{ money('0') }} as estimated_cost_usd,
        pass_id
    from days
    union all
    {% for kind in ['request', 'unit'] -%}
    select
        {{ dimensions | join(', ') }},
        '{{ kind }}' as token_kind,
        cast(0 as bigint) as quantity,
        {{ money('list_' ~ kind ~ '_cost_usd') }} as effective_cost_usd,
        {{ money('0') }} as estimated_cost_usd,
        pass_id
    from days
    where list_{{ kind }}_cost_usd <> 0
    union all
    {% endfor -%}
    select
        {{ dimensions | join(', ') }},
        'adjustment' as token_kind,
        cast(0 as bigint) as quantity,
        {{ money('effective_cost_usd - list_cost_usd') }} as effective_cost_usd,
        {{ money('estimated_cost_usd') }} as estimated_cost_usd,
        pass_id
    from days
    where effective_cost_usd <> list_cost_usd or estimated_cost_usd <> 0
)

select
    {{ dimensions | join(',\n    ') }},
    token_kind,
    quantity,
    effective_cost_usd,
    estimated_cost_usd,
    pass_id
from kinds
