-- one row per month and line of a statement as the facts are now, closed or not
{% set dimensions = statement_dimensions() %}
with days as (
    select * from {{ ref('int_closing__days') }}
),

charges as (
    select * from {{ ref('fct_charges') }}
),

lines as (
    select
        cast({{ dbt.date_trunc('month', 'usage_on') }} as date) as period_on,
        'usage' as line_kind,
        entity_key,
        customer_key,
        feature_key,
        source_instance,
        provider,
        model_id,
        list_cost_usd,
        -- What is metered is paid as it is used.
        effective_cost_usd as billed_cost_usd,
        effective_cost_usd,
        estimated_cost_usd,
        charged_usd,
        requests_count,
        total_tokens,
        cast(0 as bigint) as unpriced_lines_count
    from days
    union all
    select
        cast({{ dbt.date_trunc('month', 'charged_on') }} as date) as period_on,
        charge_kind as line_kind,
        cast(null as {{ dbt.type_string() }}) as entity_key,
        cast(null as {{ dbt.type_string() }}) as customer_key,
        cast(null as {{ dbt.type_string() }}) as feature_key,
        source_instance,
        provider,
        cast(null as {{ dbt.type_string() }}) as model_id,
        {{ money('0') }} as list_cost_usd,
        -- Of a line without a rate of exchange no dollars are known: it is in no total, and counted.
        coalesce(billed_cost_usd, 0) as billed_cost_usd,
        coalesce(effective_cost_usd, 0) as effective_cost_usd,
        {{ money('0') }} as estimated_cost_usd,
        {{ money('0') }} as charged_usd,
        cast(0 as bigint) as requests_count,
        cast(0 as bigint) as total_tokens,
        case when billed_cost_usd is null then 1 else 0 end as unpriced_lines_count
    from charges
)

select
    period_on,
    {{ dimensions | join(',\n    ') }},
    {% for column in statement_amounts() -%}
    {{ money('sum(' ~ column ~ ')') }} as {{ column }},
    {% endfor -%}
    {% for column in statement_counts() -%}
    cast(sum({{ column }}) as bigint) as {{ column }}{{ ',' if not loop.last }}
    {% endfor %}
from lines
group by
    period_on,
    {{ dimensions | join(',\n    ') }}
