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

-- What lists at 1 is known, at 0 is not charged, at null is not known.
listed as (
    select
        *,
        case
            when price_status = 'informational' then null
            when price_status = 'not_charged' then 0
            when listed_usd is not null then 1
        end as list_case
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
    case list_case when 1 then case when is_by_unit then 0 else coalesce(rated_{{ kind }}_usd, 0) end when 0 then 0 end
        as list_{{ kind }}_cost_usd,
    {% endfor -%}
    case list_case when 1 then case when is_by_unit then 0 else coalesce(rated_request_usd, 0) end when 0 then 0 end
        as list_request_cost_usd,
    case list_case when 1 then case when is_by_unit then rated_unit_usd else 0 end when 0 then 0 end
        as list_unit_cost_usd,
    {{ money('case list_case when 1 then listed_usd when 0 then 0 end') }} as list_cost_usd,
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
