-- one row per distinct set of identifiers ever seen, and one empty row a pass: the mark up
-- to which was looked
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}
with usage_events as (
    select * from {{ ref('int_usage__deduplicated') }}
    where {{ touched_days_filter('usage_on') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

seen as (
    -- An identity key is the hash of the rest, so any row of it will do.
    select
        identity_key,
        min(source_instance) as source_instance,
        min(raw_organization) as raw_organization,
        min(raw_workspace) as raw_workspace,
        min(raw_team) as raw_team,
        min(raw_user) as raw_user,
        min(raw_customer) as raw_customer,
        min(raw_agent) as raw_agent,
        min(raw_application) as raw_application,
        min(raw_feature) as raw_feature,
        min(raw_key_hash) as raw_key_hash,
        min(raw_key_alias) as raw_key_alias
    from usage_events
    group by identity_key
),

unknown as (
    select seen.*
    from seen
    {% if is_incremental() %}
    left join {{ this }} as known
        on seen.identity_key = known.identity_key
    where known.identity_key is null
    {% endif %}
),

marked as (
    select * from unknown
    union all
    select
        cast(null as {{ dbt.type_string() }}) as identity_key,
        cast(null as {{ dbt.type_string() }}) as source_instance,
        cast(null as {{ dbt.type_string() }}) as raw_organization,
        cast(null as {{ dbt.type_string() }}) as raw_workspace,
        cast(null as {{ dbt.type_string() }}) as raw_team,
        cast(null as {{ dbt.type_string() }}) as raw_user,
        cast(null as {{ dbt.type_string() }}) as raw_customer,
        cast(null as {{ dbt.type_string() }}) as raw_agent,
        cast(null as {{ dbt.type_string() }}) as raw_application,
        cast(null as {{ dbt.type_string() }}) as raw_feature,
        cast(null as {{ dbt.type_string() }}) as raw_key_hash,
        cast(null as {{ dbt.type_string() }}) as raw_key_alias
)

select
    marked.identity_key,
    marked.source_instance,
    marked.raw_organization,
    marked.raw_workspace,
    marked.raw_team,
    marked.raw_user,
    marked.raw_customer,
    marked.raw_agent,
    marked.raw_application,
    marked.raw_feature,
    marked.raw_key_hash,
    marked.raw_key_alias,
    current_pass.pass_id
from marked
cross join current_pass
