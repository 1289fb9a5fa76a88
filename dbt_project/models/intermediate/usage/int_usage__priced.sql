-- one row per act, with what it costs and why; null money where the price is not known
with contracted as (
    select * from {{ ref('int_usage__contracted') }}
),

decided as (
    select
        *,
        case
            when is_informational then 'informational'
            when is_gateway_cache_hit then 'not_charged'
            when status = 'error' and coalesce(reported_cost_usd, 0) = 0 then 'not_charged'
            when reported_cost_usd is not null and (cost_policy = 'trust_reported' or is_passthrough)
                then 'reported'
            when contracted_usd is not null
                then case when has_fallback_rate and not is_by_unit then 'priced_fallback' else 'priced' end
            when price_key is null and not is_by_unit then 'unmatched_model'
            else 'no_rate_for_meter'
        end as price_status
    from contracted
),

-- What is not charged lists at 0. Where the list price is known, each line of it is; a line of what is not used is 0.
listed as (
    select
        *,
        price_status not in ('informational', 'not_charged') and listed_usd is not null as is_listed,
        case
            when price_status = 'informational' then null
            when price_status = 'not_charged' or listed_usd is not null then {{ money(0) }}
        end as unused_line_usd
    from decided
)

select
    listed.*,

    not coalesce(is_informational, false) as is_costed,
    case
        when price_status in ('reported', 'not_charged') then price_status
        when price_status not in ('priced', 'priced_fallback') then null
        when has_buy_terms then 'contracted'
        else 'list'
    end as cost_basis,
    case when has_buy_terms or is_passthrough then buy_rule_ids end as price_rule_id,
    -- The catalogue states no dates: before its first observation the earliest known rates are used.
    price_status in ('priced', 'priced_fallback')
    and not is_by_unit
    and occurred_at < price_observed_at as is_price_backcast,

    {% for kind in token_kinds() -%}
    case when is_listed and not is_by_unit then coalesce(rated_{{ kind }}_usd, 0) else unused_line_usd end
        as list_{{ kind }}_cost_usd,
    {% endfor -%}
    case when is_listed and not is_by_unit then coalesce(rated_request_usd, 0) else unused_line_usd end
        as list_request_cost_usd,
    case when is_listed and is_by_unit then rated_unit_usd else unused_line_usd end as list_unit_cost_usd,
    {{ money('case when is_listed then listed_usd else unused_line_usd end') }} as list_cost_usd,
    {{ money(
        "case
            when price_status = 'informational' then null
            when price_status = 'not_charged' then 0
            else contracted_usd
        end"
    ) }} as contracted_cost_usd,
    {{ money(
        "case
            when price_status = 'reported' then reported_cost_usd
            when price_status = 'not_charged' then 0
            when price_status in ('priced', 'priced_fallback') then contracted_usd
        end"
    ) }} as effective_cost_usd,
    -- What the source claims beyond what the act costs by our own rates; null where either is not known.
    case
        when price_status in ('reported', 'priced', 'priced_fallback')
            then {{ money('reported_cost_usd - contracted_usd') }}
    end as reported_variance_usd,
    case
        when price_status not in ('unmatched_model', 'no_rate_for_meter') then null
        when is_by_unit then estimated_unit_usd
        when total_tokens > 0
            then
                {{ money('total_input_tokens * estimate_input_usd_per_unit') }}
                + {{ money('total_output_tokens * estimate_output_usd_per_unit') }}
    end as estimated_cost_usd
from listed
