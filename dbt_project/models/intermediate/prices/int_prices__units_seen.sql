-- one row per source instance, raw provider, raw model name, service tier and unit seen together in usage
with models_seen as (
    select * from {{ ref('int_usage__models_seen') }}
),

names as (
    select * from {{ ref('int_prices__names_reduced') }}
),

combinations as (
    select
        source_instance,
        coalesce(provider, '') as provider,
        coalesce(model_served, model_requested, '') as model_name,
        coalesce(service_tier, '') as service_tier,
        unit
    from models_seen
    where unit is not null
    group by
        source_instance,
        coalesce(provider, ''),
        coalesce(model_served, model_requested, ''),
        coalesce(service_tier, ''),
        unit
)

select
    combinations.*,
    names.canonical_provider,
    {{ hash_key(['combinations.source_instance', 'combinations.provider', 'combinations.model_name',
        'combinations.service_tier', 'combinations.unit']) }} as combination_key
from combinations
inner join names
    on combinations.provider = names.provider
    and combinations.model_name = names.model_name
