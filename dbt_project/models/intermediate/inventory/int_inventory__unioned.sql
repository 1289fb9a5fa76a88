-- one row per identifier that a source lists: a key, team, user or agent, and whose it is; `field` is where the standard
-- event carries it
with unioned as (
    select
        source_instance,
        'litellm' as source,
        'key' as identity_kind,
        'raw_key_hash' as field,
        key_hash as identifier,
        key_alias as identity_name,
        cast(null as {{ dbt.type_string() }}) as email,
        team_id as team_identifier,
        user_id as user_identifier,
        cast(null as {{ dbt.type_string() }}) as workspace_identifier,
        organization_id as organization_identifier,
        is_blocked as is_blocked,
        limit_usd as limit_usd,
        limit_period as limit_period,
        extracted_at as extracted_at
    from {{ ref('stg_litellm__keys') }}
    union all
    select
        source_instance,
        'litellm' as source,
        'team' as identity_kind,
        'raw_team' as field,
        team_id as identifier,
        team_alias as identity_name,
        cast(null as {{ dbt.type_string() }}) as email,
        cast(null as {{ dbt.type_string() }}) as team_identifier,
        cast(null as {{ dbt.type_string() }}) as user_identifier,
        cast(null as {{ dbt.type_string() }}) as workspace_identifier,
        organization_id as organization_identifier,
        is_blocked as is_blocked,
        limit_usd as limit_usd,
        limit_period as limit_period,
        extracted_at as extracted_at
    from {{ ref('stg_litellm__teams') }}
    union all
    select
        source_instance,
        'litellm' as source,
        'user' as identity_kind,
        'raw_user' as field,
        user_id as identifier,
        user_alias as identity_name,
        user_email as email,
        cast(null as {{ dbt.type_string() }}) as team_identifier,
        cast(null as {{ dbt.type_string() }}) as user_identifier,
        cast(null as {{ dbt.type_string() }}) as workspace_identifier,
        cast(null as {{ dbt.type_string() }}) as organization_identifier,
        false as is_blocked,
        limit_usd as limit_usd,
        cast(null as {{ dbt.type_string() }}) as limit_period,
        extracted_at as extracted_at
    from {{ ref('stg_litellm__users') }}
    union all
    select
        source_instance,
        'openrouter' as source,
        'key' as identity_kind,
        'raw_key_hash' as field,
        key_hash as identifier,
        key_alias as identity_name,
        cast(null as {{ dbt.type_string() }}) as email,
        cast(null as {{ dbt.type_string() }}) as team_identifier,
        coalesce(external_user, creator_user_id) as user_identifier,
        workspace_id as workspace_identifier,
        cast(null as {{ dbt.type_string() }}) as organization_identifier,
        coalesce(is_disabled, false) as is_blocked,
        limit_usd as limit_usd,
        limit_reset as limit_period,
        observed_at as extracted_at
    from {{ ref('stg_openrouter__keys') }}
    union all
    select
        source_instance,
        'portkey' as source,
        'key' as identity_kind,
        'raw_key_hash' as field,
        raw_key_hash as identifier,
        raw_key_alias as identity_name,
        cast(null as {{ dbt.type_string() }}) as email,
        raw_team as team_identifier,
        raw_user as user_identifier,
        raw_workspace as workspace_identifier,
        raw_organization as organization_identifier,
        coalesce(key_status = 'exhausted', false) as is_blocked,
        limit_usd as limit_usd,
        periodic_reset as limit_period,
        loaded_at as extracted_at
    from {{ ref('stg_portkey__keys') }}
    union all
    select
        source_instance,
        'snowflake_cortex' as source,
        'user' as identity_kind,
        'raw_user' as field,
        user_id as identifier,
        user_name as identity_name,
        lower(email) as email,
        cast(null as {{ dbt.type_string() }}) as team_identifier,
        cast(null as {{ dbt.type_string() }}) as user_identifier,
        cast(null as {{ dbt.type_string() }}) as workspace_identifier,
        cast(null as {{ dbt.type_string() }}) as organization_identifier,
        false as is_blocked,
        cast(null as decimal(38, 15)) as limit_usd,
        cast(null as {{ dbt.type_string() }}) as limit_period,
        loaded_at as extracted_at
    from {{ ref('stg_snowflake_cortex__users') }}
)

select * from unioned
