-- one row per name that a declared node or feature goes by: its id, name, e-mail and aliases, in lower case
with entities as (
    select * from {{ ref('stg_config__entities') }}
    where entity_type not in ('root', 'unattributed', 'internal')
),

aliases as (
    select * from {{ ref('stg_config__entity_aliases') }}
),

features as (
    select * from {{ ref('stg_config__features') }}
),

unioned as (
    select tree as dimension, entity_key as target_key, 'id' as name_kind, entity_key as name
    from entities
    union all
    select tree as dimension, entity_key as target_key, 'name' as name_kind, entity_name as name
    from entities
    union all
    select tree as dimension, entity_key as target_key, 'email' as name_kind, email as name
    from entities
    where email is not null
    union all
    select entities.tree as dimension, aliases.entity_key as target_key, 'alias' as name_kind, aliases.alias as name
    from aliases
    inner join entities
        on aliases.entity_key = entities.entity_key
    union all
    select 'feature' as dimension, feature_key as target_key, 'id' as name_kind, feature_key as name
    from features
    union all
    select 'feature' as dimension, feature_key as target_key, 'name' as name_kind, feature_name as name
    from features
)

select
    dimension,
    target_key,
    name_kind,
    lower(name) as name,
    {{ plain_text(local_part('name')) }} as plain_name
from unioned
