-- one row per closed month, month it is booked in, place, provider, model and reason: by how much what a closed month
-- stated is no longer what its facts say. Amounts are facts less statement, exactly; reasons are those of the passes
-- between the closes, which explain what usage costs and counts; what they do not explain is `other` (a charge: `charge`)
{% set dimensions = ['entity_key', 'customer_key', 'provider', 'model_id'] %}
{% set explained_columns = ['billed_cost_usd', 'effective_cost_usd', 'total_tokens', 'requests_count'] %}
{% set amounts = statement_amounts() %}
{% set counts = ['total_tokens', 'requests_count'] %}
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
        -- What is metered is paid as it is used.
        restatements.effective_cost_usd as billed_cost_usd,
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
        case when line_kind = 'usage' then 'other' else 'charge' end as reason,
        {{ (amounts + counts) | join(',\n        ') }}
    from statement_lines
    {% for reason, sign in [('reason', ''), ("'other'", '-')] -%}
    union all
    select
        corrected_period,
        period,
        {{ dimensions | join(',\n        ') }},
        {{ reason }} as reason,
        {% for column in amounts + counts -%}
        {{ sign ~ column if column in explained_columns else 0 }} as {{ column }}{{ ',' if not loop.last }}
        {% endfor -%}
    from explained
    {% endfor %}
)

select
    corrected_period,
    period,
    {{ dimensions | join(',\n    ') }},
    reason,

    {% for column in amounts -%}
    {{ money('sum(' ~ column ~ ')') }} as {{ column }},
    {% endfor -%}
    {% for column in counts -%}
    cast(sum({{ column }}) as bigint) as {{ column }}{{ ',' if not loop.last }}
    {% endfor %}
from parts
group by
    corrected_period,
    period,
    {{ dimensions | join(',\n    ') }},
    reason
having {% for column in amounts + counts -%}
    sum({{ column }}) <> 0{{ ' or ' if not loop.last }}
    {%- endfor %}
