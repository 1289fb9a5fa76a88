-- one row per pass, day, place, source, provider, model, unit and reason for which totals moved, and an empty row a pass that
-- marks how far was compared; append-only. The rows of a day sum to the difference of its totals, always
{{ config(
    materialized='incremental', incremental_strategy='append', on_schema_change='append_new_columns', full_refresh=false
) }}
{% set dimensions = ['entity_key', 'customer_key', 'source_instance', 'provider', 'model_id', 'unit'] %}
{% set amounts = ['effective_cost_usd', 'estimated_cost_usd', 'charged_usd', 'quantity'] %}
with compared as (
    select * from {{ ref('int_usage__compared') }}
),

-- A pass is compared once, whatever is run again under its number.
current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
    {% if is_incremental() %}
    where pass_id > (select coalesce(max(built.pass_id), -1) from {{ this }} as built)
    {% endif %}
),

sides as (
    select
        usage_on,
        reason,
        {% for column in dimensions -%}
        {{ column }}_before as {{ column }},
        {% endfor -%}
        {% for amount in amounts -%}
        -coalesce({{ amount }}_before, 0) as {{ amount }},
        {% endfor -%}
        -coalesce(total_tokens_before, 0) as total_tokens,
        -1 as requests_count
    from compared
    where not is_added
    union all
    select
        usage_on,
        reason,
        {% for column in dimensions -%}
        {{ column }}_after as {{ column }},
        {% endfor -%}
        {% for amount in amounts -%}
        coalesce({{ amount }}_after, 0) as {{ amount }},
        {% endfor -%}
        coalesce(total_tokens_after, 0) as total_tokens,
        1 as requests_count
    from compared
    where not is_gone
),

summed as (
    select
        usage_on,
        reason,
        {{ dimensions | join(',\n        ') }},
        {% for amount in amounts -%}
        {{ money('sum(' ~ amount ~ ')') }} as {{ amount }},
        {% endfor -%}
        cast(sum(total_tokens) as bigint) as total_tokens,
        cast(sum(requests_count) as bigint) as requests_count
    from sides
    group by
        usage_on,
        reason,
        {{ dimensions | join(',\n        ') }}
    having sum(total_tokens) <> 0
        or sum(requests_count) <> 0
        {% for amount in amounts -%}
        or sum({{ amount }}) <> 0
        {% endfor %}
),

marked as (
    select * from summed
    union all
    select
        cast(null as date) as usage_on,
        cast(null as {{ dbt.type_string() }}) as reason,
        {% for column in dimensions -%}
        cast(null as {{ dbt.type_string() }}) as {{ column }},
        {% endfor -%}
        {% for amount in amounts -%}
        {{ money('0') }} as {{ amount }},
        {% endfor -%}
        cast(0 as bigint) as total_tokens,
        cast(0 as bigint) as requests_count
)

select
    marked.*,
    current_pass.pass_id
from marked
cross join current_pass
