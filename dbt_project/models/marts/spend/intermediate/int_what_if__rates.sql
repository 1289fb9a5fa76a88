-- one row per cell of list-priced usage and scenario that can be asked of it: the rates it would have had. batch: its
-- model's own batch rates. without_caching: what the cache was read for and written to, as plain input. Others: the model
-- that prices.yaml names, of the same tier and size, at its price at the beginning of the day
with cells as (
    select * from {{ ref('int_what_if__usage') }}
),

by_name as (
    select * from {{ ref('int_prices__rates_by_name') }}
),

prices as (
    select * from {{ ref('price_resolved') }}
),

asked as (
    select * from {{ ref('stg_config__what_if_models') }}
),

-- Spellings of a provider, and stretches of time in which a name meant the same, have equal rates.
own as (
    select
        canonical_provider, model_name, region, price_version_key, service_tier, band_lo, band_hi,
        week_minute_from, week_minute_to,
        max(case when is_fallback_input and is_fallback_output then 1 else 0 end) as is_stand_in,
        {% for kind in token_kinds() -%}
        max(r_{{ kind }}) as r_{{ kind }}{{ ',' if not loop.last }}
        {% endfor %}
    from by_name
    where price_version_key is not null
    group by
        canonical_provider, model_name, region, price_version_key, service_tier, band_lo, band_hi,
        week_minute_from, week_minute_to
),

-- Of a price by the hour the dearest.
targets as (
    select
        price_key, service_tier, band_lo, band_hi, valid_from_at, valid_to_at,
        {% for kind in token_kinds() -%}
        max(r_{{ kind }}) as r_{{ kind }}{{ ',' if not loop.last }}
        {% endfor %}
    from prices
    group by price_key, service_tier, band_lo, band_hi, valid_from_at, valid_to_at
),

of_own_name as (
    select
        cells.*,
        case when own.service_tier = cells.service_tier then 'without_caching' else 'batch' end as scenario,
        cells.model_id as target_model_id,
        {% for kind in token_kinds() -%}
        {% if kind.startswith('cache_') -%}
        case when own.service_tier = cells.service_tier then own.r_input else own.r_{{ kind }} end as r_{{ kind }}
        {%- else -%}
        own.r_{{ kind }}
        {%- endif %}{{ ',' if not loop.last }}
        {% endfor %}
    from cells
    inner join own
        on coalesce(cells.provider, '') = coalesce(own.canonical_provider, '')
        and cells.model_name = own.model_name
        and cells.region = own.region
        and cells.price_version_key = own.price_version_key
        and cells.more_than_input_tokens >= own.band_lo
        and cells.more_than_input_tokens < own.band_hi
        and cells.week_minute >= own.week_minute_from
        and cells.week_minute < own.week_minute_to
    where own.service_tier = cells.service_tier
        or (own.service_tier = 'batch' and own.is_stand_in = 0 and cells.service_tier = 'standard')
),

of_other_models as (
    select
        cells.*,
        asked.scenario,
        concat(asked.target_provider, '/', asked.target_model) as target_model_id,
        {% for kind in token_kinds() -%}
        targets.r_{{ kind }}{{ ',' if not loop.last }}
        {% endfor %}
    from cells
    inner join asked
        on cells.model_id = concat(asked.provider, '/', asked.model_name)
    left join targets
        on concat(asked.target_provider, '/', asked.target_model) = targets.price_key
        and cells.service_tier = targets.service_tier
        and cells.more_than_input_tokens >= targets.band_lo
        and cells.more_than_input_tokens < targets.band_hi
        and cast(cells.usage_on as timestamp) >= targets.valid_from_at
        and (cast(cells.usage_on as timestamp) < targets.valid_to_at or targets.valid_to_at is null)
)

select * from of_own_name
union all
select * from of_other_models
