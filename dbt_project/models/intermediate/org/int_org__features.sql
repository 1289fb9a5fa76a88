-- one row per feature
with features as (
    select * from {{ ref('stg_config__features') }}
)

select
    feature_key,
    feature_name
from features
