-- one row per set of price rules, name in use (provider, model and service tier by number, unit), slot, rule that fits and range of
-- time, with its score: of the rules that fit at an instant the highest counts
{{ config(materialized='table') }}

with rules as (
    select * from {{ ref('stg_config__price_rules') }}
),

place_rules as (
    select * from {{ ref('int_prices__place_rules') }}
),

scopes as (
    select * from {{ ref('int_prices__scopes') }}
),

lookup as (
    select * from {{ ref('int_prices__model_lookup') }}
),

models_seen as (
    select * from {{ ref('int_usage__models_seen') }}
),

names_numbered as (
    select * from {{ ref('int_prices__names_numbered') }}
),

provider_names as (
    select * from {{ ref('stg_price_catalog__provider_names') }}
),

rule_sets as (
    select
        scopes.side,
        scopes.scope_number,
        place_rules.rule_id,
        place_rules.scope_score,
        place_rules.valid_from_at,
        place_rules.valid_to_at
    from scopes
    inner join place_rules
        on scopes.side = place_rules.side
        and scopes.entity_key = place_rules.entity_key
        and scopes.customer_key = place_rules.customer_key
        and scopes.feature_key = place_rules.feature_key
        and scopes.source_instance = place_rules.source_instance
    group by
        scopes.side,
        scopes.scope_number,
        place_rules.rule_id,
        place_rules.scope_score,
        place_rules.valid_from_at,
        place_rules.valid_to_at
),

names as (
    select
        names_numbered.name_number,
        names_numbered.service_tier,
        lookup.model_name,
        lookup.canonical_provider,
        lookup.price_key,
        coalesce(lookup.valid_from_at, timestamp '1900-01-01 00:00:00') as valid_from_at,
        coalesce(lookup.valid_to_at, timestamp '9999-12-31 00:00:00') as valid_to_at,
        coalesce(models_seen.unit, '') as unit
    from models_seen
    inner join lookup
        on coalesce(models_seen.provider, '') = lookup.provider
        and coalesce(models_seen.model_served, models_seen.model_requested, '') = lookup.model_name
    inner join names_numbered
        on lookup.provider = names_numbered.provider
        and lookup.model_name = names_numbered.model_name
        and {{ price_tier('models_seen.service_tier') }} = names_numbered.service_tier
    group by
        names_numbered.name_number,
        names_numbered.service_tier,
        lookup.model_name,
        lookup.canonical_provider,
        lookup.price_key,
        lookup.valid_from_at,
        lookup.valid_to_at,
        coalesce(models_seen.unit, '')
),

-- A rule without meters is about each of them, not about the slots of a whole request.
slots as (
    {% for slot in cost_lines() -%}
    select '{{ slot }}' as slot, true as is_metered
    union all
    {% endfor -%}
    {% for slot in ['passthrough_reported', 'cost_plus_fixed', 'floor', 'cap'] -%}
    select '{{ slot }}' as slot, false as is_metered
    {% if not loop.last %}union all{% endif %}
    {% endfor -%}
)

select
    rule_sets.side,
    rule_sets.scope_number,
    names.name_number,
    names.unit,
    slots.slot,
    rules.rule_id,
    rules.rate_usd_per_unit,
    rules.factor_ratio,
    rules.amount_usd,
    rules.is_on_previous,
    ((rules.priority + 1000) * 1000 + rule_sets.scope_score) * 100
    + case when rules.feature_key is not null then 40 else 0 end
    + case when rules.model_name is not null then 20 when rules.provider is not null then 10 else 0 end
    + case when rules.meter is not null then 4 else 0 end
    + case when rules.service_tier is not null then 2 else 0 end as score,
    greatest(rules.valid_from_at, rule_sets.valid_from_at, names.valid_from_at) as valid_from_at,
    least(rules.valid_to_at, rule_sets.valid_to_at, names.valid_to_at) as valid_to_at
from rule_sets
inner join rules
    on rule_sets.side = rules.side
    and rule_sets.rule_id = rules.rule_id
left join provider_names
    on rules.provider = provider_names.provider_raw
inner join names
    on (rules.provider is null or coalesce(provider_names.provider, rules.provider) = names.canonical_provider)
    and (
        rules.model_name is null
        or rules.model_name = names.model_name
        or concat(names.canonical_provider, '/', rules.model_name) = names.price_key
    )
    and (rules.service_tier is null or rules.service_tier = names.service_tier)
inner join slots
    on (rules.meter is null and slots.is_metered)
    or rules.meter = slots.slot
    or (slots.slot = 'unit' and rules.meter = names.unit)
where greatest(rules.valid_from_at, rule_sets.valid_from_at, names.valid_from_at)
    < least(rules.valid_to_at, rule_sets.valid_to_at, names.valid_to_at)
