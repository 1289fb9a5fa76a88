-- one row per provider, finished UTC day with a bill, model and reason: the part of the difference between what was
-- metered and what was billed that the reason explains. The parts of a day sum to the difference exactly
with model_days as (
    select * from {{ ref('int_bills__model_days') }}
),

lines as (
    select * from {{ ref('int_bills__lines') }}
    where is_authoritative
        and not is_metered_kind
        and billed_cost_usd is not null
),

bill_days as (
    select * from {{ ref('int_bills__days') }}
),

parts as (
    {% for reason, column in {
        'coverage': 'coverage_usd',
        'timing': 'timing_usd',
        'unpriced': 'unpriced_usd',
        'duplicates': 'duplicate_usd',
        'rounding': 'inexact_usd',
    }.items() %}
    select provider, usage_on, model_key, '{{ reason }}' as reason, {{ column }} as difference_usd
    from model_days
    union all
    {% endfor %}
    select provider, usage_on, model_key, rest_reason as reason, rest_usd as difference_usd
    from model_days
    union all
    -- What no act meters.
    select
        lines.provider,
        lines.billed_on as usage_on,
        lines.model_name as model_key,
        case
            when lines.meter in ('tax', 'seats', 'storage') then lines.meter
            when lines.meter in ('credit', 'discount') then 'credits'
            when lines.meter = 'fee' then 'fees'
            when lines.meter in ('web_search', 'code_execution', 'file_search', 'session_usage') then 'tools'
            else 'other_lines'
        end as reason,
        -lines.billed_cost_usd as difference_usd
    from lines
    inner join bill_days
        on lines.provider = bill_days.provider
        and lines.billed_on = bill_days.usage_on
)

select
    provider,
    usage_on,
    model_key as model_name,
    reason,
    {{ money('sum(difference_usd)') }} as difference_usd
from parts
group by
    provider,
    usage_on,
    model_key,
    reason
having sum(difference_usd) <> 0
