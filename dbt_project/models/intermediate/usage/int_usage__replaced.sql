-- one row per act of a day that this pass rebuilds, as the last pass left it, and an empty row for the day itself. Kept
-- until it has been compared with what replaces it, so that a crash in between loses no difference
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='append_new_columns',
    full_refresh=false,
    pre_hook='{{ forget_compared_usage() }}',
) }}
{% set facts = existing_mart('core', 'fct_usage') %}
{% set columns = [
    'usage_key', 'source_instance', 'entity_key', 'customer_key', 'provider', 'model_id', 'row_hash', 'cost_basis',
    'cost_policy', 'price_rule_id', 'unit', 'effective_cost_usd', 'estimated_cost_usd', 'charged_usd',
    'quantity', 'total_tokens',
] %}
{# Facts built by an older version of the models may lack a column. #}
{% set existing = adapter.get_columns_in_relation(facts) | map(attribute='name') | list if facts is not none else [] %}
with current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

touched as (
    select usage_on
    from {{ ref('int_usage__touched_days') }}
    {% if facts is not none %}
    where pass_id > (select coalesce(max(built.pass_id), -1) from {{ facts }} as built)
    {% endif %}
    group by usage_on
),

replaced as (
    {% if facts is not none %}
    select
        facts.usage_on,
        {% for column in columns -%}
        {{ 'facts.' if column in existing else 'null as ' }}{{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ facts }} as facts
    inner join touched
        on facts.usage_on = touched.usage_on
    union all
    {% endif %}
    select
        usage_on,
        {% for column in columns -%}
        {% if column == 'total_tokens' -%}
        cast(null as bigint)
        {%- elif column.endswith('_usd') or column == 'quantity' -%}
        {{ money('null') }}
        {%- else -%}
        cast(null as {{ dbt.type_string() }})
        {%- endif %} as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from touched
)

select
    replaced.*,
    current_pass.pass_id
from replaced
cross join current_pass
