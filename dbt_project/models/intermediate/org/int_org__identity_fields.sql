-- one row per identity, used or only listed, dimension and field with a value that its source is attributed by
{% set fields = [
    'raw_organization', 'raw_workspace', 'raw_team', 'raw_user', 'raw_customer', 'raw_agent', 'raw_application',
    'raw_feature', 'raw_key_hash', 'raw_key_alias'
] %}
with used as (
    select * from {{ ref('int_org__identities') }}
),

listed as (
    select * from {{ ref('int_inventory__identities') }}
),

identities as (
    {%- for relation in ['used', 'listed'] %}
    select
        identity_key,
        source_instance
        {%- for field in fields %},
        {{ field }}
        {%- endfor %}
    from {{ relation }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
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
            {%- for field in fields %}
            when '{{ field }}' then identities.{{ field }}
            {%- endfor %}
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
