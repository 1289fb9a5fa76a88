-- one row per act: the current version of each, by usage day
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook='{{ delete_touched_days() }}',
) }}
with unioned as (
    select * from {{ ref('int_usage__unioned') }}
    where {{ touched_days_filter('usage_on') }}
),

versions as (
    select
        *,
        row_number() over (
            partition by usage_key, usage_on
            order by version_number desc, is_removed
        ) as newest_rank
    from {{ ref('int_usage__versions') }}
    where {{ touched_days_filter('usage_on') }}
),

current_versions as (
    select * from versions
    where newest_rank = 1 and not is_removed
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
)

select
    {% for column in standard_event_columns() -%}
    unioned.{{ column }},
    {% endfor -%}
    current_pass.pass_id
from unioned
inner join current_versions
    on unioned.usage_key = current_versions.usage_key
    and unioned.load_id = current_versions.load_id
    and unioned.source_locator = current_versions.source_locator
    and not unioned.is_removed
cross join current_pass
