-- one row per model key ever seen on an act (source instance, provider, model name, region, service tier and unit), and
-- one empty row a pass: the mark up to which was looked
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}
{% set columns = [
    'model_key', 'source_instance', 'provider', 'model_served', 'model_requested', 'region', 'service_tier', 'unit',
] %}
with usage_events as (
    select * from {{ ref('int_usage__deduplicated') }}
    where {{ touched_days_filter('usage_on') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

named as (
    select
        {{ columns | join(',\n        ') }}
    from usage_events
    group by
        {{ columns | join(',\n        ') }}
),

unseen as (
    select named.*
    from named
    {% if is_incremental() %}
    left join {{ this }} as seen
        on named.model_key = seen.model_key
    where seen.model_key is null
    {% endif %}
),

marked as (
    select * from unseen
    union all
    select
        {% for column in columns -%}
        cast(null as {{ dbt.type_string() }}) as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
)

select
    marked.*,
    current_pass.pass_id
from marked
cross join current_pass
