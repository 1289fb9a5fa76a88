-- one row per identity, dimension and field with a value that its source is attributed by
with identities as (
    select * from {{ ref('int_org__identities') }}
),

source_fields as (
    select * from {{ ref('stg_config__source_fields') }}
),

unpivoted as (
    select
        identities.identity_key,
        identities.source_instance,
        source_fields.dimension,
        source_fields.field,
        source_fields.position as field_position,
        case source_fields.field
            when 'raw_organization' then identities.raw_organization
            when 'raw_workspace' then identities.raw_workspace
            when 'raw_team' then identities.raw_team
            when 'raw_user' then identities.raw_user
            when 'raw_customer' then identities.raw_customer
            when 'raw_agent' then identities.raw_agent
            when 'raw_application' then identities.raw_application
            when 'raw_feature' then identities.raw_feature
            when 'raw_key_hash' then identities.raw_key_hash
            when 'raw_key_alias' then identities.raw_key_alias
        end as field_value
    from identities
    inner join source_fields
        on identities.source_instance = source_fields.source_instance
)

select
    identity_key,
    source_instance,
    dimension,
    field,
    field_position,
    field_value
from unpivoted
where field_value is not null and field_value <> ''
