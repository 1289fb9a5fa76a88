-- one row per feature
with features as (
    select * from {{ ref('int_org__features') }}
)

select
    feature_key,
    feature_name
from features
