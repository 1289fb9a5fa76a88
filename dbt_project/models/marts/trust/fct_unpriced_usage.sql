-- one row per UTC day, source instance, provider, raw model name, unit and reason, of usage without a price
with usage_events as (
    select * from {{ ref('fct_usage') }}
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
)

select
    usage_on,
    source_instance,
    provider,
    model_name,
    unit,
    price_status,
    case
        when price_status = 'no_rate_for_meter' and unit is not null
            then concat(
                'No rate of the unit is known for this provider in US dollars on that day: declare yours under overrides'
                ' in prices.yaml (kind: fixed_rate, meters: [', unit, ']).'
            )
        when price_status = 'no_rate_for_meter'
            then 'The model is known, but the catalogue states no rate for a unit it used.'
        when model_name = ''
            then 'The source names no model.'
        when provider = ''
            then 'The source names no provider.'
        when model_name like '%application-inference-profile%'
            then 'An application inference profile is opaque: map it under model_aliases in prices.yaml.'
        when provider in ('azure', 'azure_ai')
            then 'A deployment name is arbitrary: map it under model_aliases in prices.yaml.'
        else 'The catalogue does not know the name: map it under model_aliases in prices.yaml.'
    end as likely_reason,

    count(*) as requests_count,
    cast(sum(total_input_tokens) as bigint) as total_input_tokens,
    cast(sum(total_output_tokens) as bigint) as total_output_tokens,
    cast(sum(total_tokens) as bigint) as total_tokens,
    cast(sum(quantity) as decimal(38, 15)) as quantity,
    {{ money('sum(estimated_cost_usd)') }} as estimated_cost_usd
from unpriced
group by usage_on, source_instance, provider, model_name, unit, price_status
