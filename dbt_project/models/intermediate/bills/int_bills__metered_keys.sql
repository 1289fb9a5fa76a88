-- one row per provider and metered model: the key it is compared with the bill under. What the bill names in no way that
-- is known is compared together with what the bill has under such names (`*`)
{{ config(materialized='table') }}
with metered as (
    select provider, model_name, model_id from {{ ref('int_bills__metered_by_model') }}
    group by provider, model_name, model_id
),

names as (
    select * from {{ ref('int_bills__names_matched') }}
),

named_keys as (
    select provider, model_key from names
    where is_metered
    group by provider, model_key
),

unnamed as (
    select provider from names
    where model_key = '*'
    group by provider
)

select
    metered.provider,
    metered.model_name,
    metered.model_id,
    case
        when named_keys.model_key is null and unnamed.provider is not null then '*'
        else coalesce(metered.model_id, concat(metered.provider, '/', metered.model_name))
    end as model_key
from metered
left join named_keys
    on metered.provider = named_keys.provider
    and coalesce(metered.model_id, concat(metered.provider, '/', metered.model_name)) = named_keys.model_key
left join unnamed
    on metered.provider = unnamed.provider
