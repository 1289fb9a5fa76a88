-- one row per provider and model name ever seen on an act, and one empty row a pass: the mark up to which was looked
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}
with usage_events as (
    select * from {{ ref('int_usage__deduplicated') }}
    where {{ touched_days_filter('usage_on') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

named as (
    select
        provider,
        model_served,
        model_requested
    from usage_events
    group by
        provider,
        model_served,
        model_requested
),

unseen as (
    select named.*
    from named
    {% if is_incremental() %}
    left join {{ this }} as seen
        on named.provider is not distinct from seen.provider
        and named.model_served is not distinct from seen.model_served
        and named.model_requested is not distinct from seen.model_requested
    where seen.pass_id is null
    {% endif %}
),

marked as (
    select * from unseen
    union all
    select
        cast(null as {{ dbt.type_string() }}) as provider,
        cast(null as {{ dbt.type_string() }}) as model_served,
        cast(null as {{ dbt.type_string() }}) as model_requested
)

select
    marked.provider,
    marked.model_served,
    marked.model_requested,
    current_pass.pass_id
from marked
cross join current_pass
