-- one row per UTC day, source instance, provider, raw model name, unit and reason, of usage without a price
with usage_events as (
    select * from {{ ref('fct_usage') }}
),

candidates as (
    select * from {{ ref('int_prices__name_candidates') }}
),

unpriced as (
    select
        usage_on,
        source_instance,
        coalesce(provider, '') as provider,
        coalesce(model_served, model_requested, '') as model_name,
        -- Tokens carry an act that has any; what else it counts is not why it has no price.
        case when coalesce(total_tokens, 0) = 0 then unit end as unit,
        case when coalesce(total_tokens, 0) = 0 then quantity end as quantity,
        price_status,
        total_tokens,
        total_input_tokens,
        total_output_tokens,
        estimated_cost_usd
    from usage_events
    where price_status in ('unmatched_model', 'no_rate_for_meter')
),

summed as (
    select
        usage_on,
        source_instance,
        provider,
        model_name,
        unit,
        price_status,
        count(*) as requests_count,
        cast(sum(total_input_tokens) as bigint) as total_input_tokens,
        cast(sum(total_output_tokens) as bigint) as total_output_tokens,
        cast(sum(total_tokens) as bigint) as total_tokens,
        cast(sum(quantity) as decimal(38, 15)) as quantity,
        {{ money('sum(estimated_cost_usd)') }} as estimated_cost_usd
    from unpriced
    group by usage_on, source_instance, provider, model_name, unit, price_status
)

select
    summed.usage_on,
    summed.source_instance,
    summed.provider,
    summed.model_name,
    summed.unit,
    summed.price_status,
    case
        when summed.unit = 'unmapped'
            then 'No meter knows what this measure counts: say it under meters of the source in sources.yaml.'
        when summed.price_status = 'no_rate_for_meter' and summed.unit is not null
            then concat(
                'No rate of the unit ', summed.unit, ' is known for it in US dollars on that day. Declare yours under overrides'
                ' in prices.yaml: kind fixed_rate, the unit under meters.'
            )
        when summed.price_status = 'no_rate_for_meter'
            then 'The model is known, but the catalogue states no rate for a unit it used.'
        when summed.model_name = ''
            then 'The source names no model.'
        when summed.provider = ''
            then 'The source names no provider.'
        when summed.model_name like '%application-inference-profile%'
            then 'An application inference profile is opaque: map it under model_aliases in prices.yaml.'
        when summed.provider in ('azure', 'azure_ai')
            then 'A deployment name is arbitrary: map it under model_aliases in prices.yaml.'
        else 'The catalogue does not know the name: map it under model_aliases in prices.yaml.'
    end as likely_reason,
    case when summed.price_status = 'unmatched_model' then candidates.candidate_models end
        as candidate_models,
    -- Paste it under model_aliases, after a look at whether the nearest name is the model that was meant.
    case
        when summed.price_status = 'unmatched_model' and candidates.target_model is not null
            then concat(
                '- {provider: ', {{ json_quote('summed.provider') }},
                ', model: ', {{ json_quote('summed.model_name') }},
                ', target_provider: ', {{ json_quote('candidates.target_provider') }},
                ', target_model: ', {{ json_quote('candidates.target_model') }}, '}'
            )
    end as suggested_config,

    summed.requests_count,
    summed.total_input_tokens,
    summed.total_output_tokens,
    summed.total_tokens,
    summed.quantity,
    summed.estimated_cost_usd
from summed
left join candidates
    on summed.provider = candidates.provider
    and summed.model_name = candidates.model_name
