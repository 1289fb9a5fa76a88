-- one row per closed month, month it is booked in, place, provider, model and reason: by how much what a closed month
-- stated is no longer what its facts say. Amounts are facts less statement, exactly; reasons are those of the passes
-- between the closes, and what these do not explain is `other` (a charge: `charge`)
{% set dimensions = ['entity_key', 'customer_key', 'provider', 'model_id'] %}
with statement_lines as (
    select * from {{ ref('fct_statement_monthly') }}
    where corrected_period is not null
),

restatements as (
    select
        *,
        substr(cast(usage_on as {{ dbt.type_string() }}), 1, 7) as corrected_period
    from {{ ref('fct_restatements') }}
),

closes as (
    select
        snapshot_id,
        period_on,
        lead(snapshot_id) over (order by period_on) as next_snapshot_id
    from {{ ref('stg_decisions__period_closes') }}
),

-- What passes after one close, up to the next, is booked in the month after the first.
explained as (
    select
        restatements.corrected_period,
        substr(
            cast(
                cast({{ dbt.dateadd('month', 1, 'closes.period_on') }} as date) as {{ dbt.type_string() }}
            ), 1, 7
        ) as period,
        restatements.{{ dimensions | join(',\n        restatements.') }},
        restatements.reason,
        restatements.effective_cost_usd,
        restatements.total_tokens,
        restatements.requests_count
    from restatements
    inner join closes
        on restatements.pass_id > closes.snapshot_id
        and (closes.next_snapshot_id is null or restatements.pass_id <= closes.next_snapshot_id)
    where cast(concat(restatements.corrected_period, '-01') as date) <= closes.period_on
),

parts as (
    select
        corrected_period,
        period,
        {{ dimensions | join(',\n        ') }},
        reason,
        effective_cost_usd,
        total_tokens,
        requests_count
    from explained
    union all
    select
        corrected_period,
        period,
        {{ dimensions | join(',\n        ') }},
        case when line_kind = 'usage' then 'other' else 'charge' end as reason,
        effective_cost_usd,
        total_tokens,
        requests_count
    from statement_lines
    union all
    select
        corrected_period,
        period,
        {{ dimensions | join(',\n        ') }},
        'other' as reason,
        -effective_cost_usd as effective_cost_usd,
        -total_tokens as total_tokens,
        -requests_count as requests_count
    from explained
)

select
    corrected_period,
    period,
    {{ dimensions | join(',\n    ') }},
    reason,

    {{ money('sum(effective_cost_usd)') }} as effective_cost_usd,
    cast(sum(total_tokens) as bigint) as total_tokens,
    cast(sum(requests_count) as bigint) as requests_count
from parts
group by
    corrected_period,
    period,
    {{ dimensions | join(',\n    ') }},
    reason
having sum(effective_cost_usd) <> 0
    or sum(total_tokens) <> 0
    or sum(requests_count) <> 0
