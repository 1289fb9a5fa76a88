-- one row per provider and metered model: the key it is compared with the bill under. A name the bill knows with another
-- date, or none, is that model. What the bill names in no way that is known is compared together with what the bill has
-- under such names (`*`)
{{ config(materialized='table') }}
with metered as (
    select
        provider,
        model_name,
        model_id,
        coalesce(model_id, concat(provider, '/', model_name)) as metered_key
    from {{ ref('int_bills__metered_by_model') }}
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

named_bases as (
    select provider, {{ undated_name('model_key') }} as base_key, min(model_key) as model_key
    from named_keys
    group by provider, {{ undated_name('model_key') }}
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
        when named_keys.model_key is not null then named_keys.model_key
        when named_bases.model_key is not null then named_bases.model_key
        when unnamed.provider is not null then '*'
        else metered.metered_key
    end as model_key
from metered
left join named_keys
    on metered.provider = named_keys.provider
    and metered.metered_key = named_keys.model_key
left join named_bases
    on metered.provider = named_bases.provider
    and {{ undated_name('metered.metered_key') }} = named_bases.base_key
left join unnamed
    on metered.provider = unnamed.provider
