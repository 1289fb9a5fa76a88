-- one row per act, with what it costs and why; null money where the price is not known
with rated as (
    select
        *,
        price_key is not null
        and not lacks_a_rate
        -- A unit that is not a token (seconds, images, credits) has no rate here yet.
        and not (coalesce(total_tokens, 0) = 0 and coalesce(quantity, 0) <> 0) as is_listable,
        coalesce(rated_input_usd, 0)
        + coalesce(rated_cache_read_usd, 0)
        + coalesce(rated_cache_write_5m_usd, 0)
        + coalesce(rated_cache_write_30m_usd, 0)
        + coalesce(rated_cache_write_1h_usd, 0)
        + coalesce(rated_cache_write_12h_usd, 0)
        + coalesce(rated_output_usd, 0)
        + coalesce(rated_reasoning_usd, 0)
        + coalesce(rated_audio_input_usd, 0)
        + coalesce(rated_audio_output_usd, 0)
        + coalesce(rated_image_input_usd, 0)
        + coalesce(rated_image_output_usd, 0) as rated_usd
    from {{ ref('int_usage__rated') }}
),

decided as (
    select
        *,
        case
            when is_informational then 'informational'
            when is_gateway_cache_hit then 'not_charged'
            when status = 'error' and coalesce(reported_cost_usd, 0) = 0 then 'not_charged'
            when reported_cost_usd is not null and cost_policy = 'trust_reported' then 'reported'
            when price_key is null then 'unmatched_model'
            when not is_listable then 'no_rate_for_meter'
            when has_fallback_rate then 'priced_fallback'
            else 'priced'
        end as price_status
    from rated
),

-- What lists at 1 is known, at 0 is not charged, at null is not known.
listed as (
    select
        *,
        case
            when price_status = 'informational' then null
            when price_status = 'not_charged' then 0
            when is_listable then 1
        end as list_case
    from decided
)

select
    listed.*,

    not coalesce(is_informational, false) as is_costed,
    case
        when price_status in ('reported', 'not_charged') then price_status
        when price_status in ('priced', 'priced_fallback') then 'list'
    end as cost_basis,
    -- The catalogue states no dates: before its first observation the earliest known rates are used.
    price_status in ('priced', 'priced_fallback')
    and occurred_at < price_observed_at as is_price_backcast,

    case list_case when 1 then coalesce(rated_input_usd, 0) when 0 then 0 end
        as list_input_cost_usd,
    case list_case when 1 then coalesce(rated_cache_read_usd, 0) when 0 then 0 end
        as list_cache_read_cost_usd,
    case list_case when 1 then coalesce(rated_cache_write_5m_usd, 0) when 0 then 0 end
        as list_cache_write_5m_cost_usd,
    case list_case when 1 then coalesce(rated_cache_write_30m_usd, 0) when 0 then 0 end
        as list_cache_write_30m_cost_usd,
    case list_case when 1 then coalesce(rated_cache_write_1h_usd, 0) when 0 then 0 end
        as list_cache_write_1h_cost_usd,
    case list_case when 1 then coalesce(rated_cache_write_12h_usd, 0) when 0 then 0 end
        as list_cache_write_12h_cost_usd,
    case list_case when 1 then coalesce(rated_output_usd, 0) when 0 then 0 end
        as list_output_cost_usd,
    case list_case when 1 then coalesce(rated_reasoning_usd, 0) when 0 then 0 end
        as list_reasoning_cost_usd,
    case list_case when 1 then coalesce(rated_audio_input_usd, 0) when 0 then 0 end
        as list_audio_input_cost_usd,
    case list_case when 1 then coalesce(rated_audio_output_usd, 0) when 0 then 0 end
        as list_audio_output_cost_usd,
    case list_case when 1 then coalesce(rated_image_input_usd, 0) when 0 then 0 end
        as list_image_input_cost_usd,
    case list_case when 1 then coalesce(rated_image_output_usd, 0) when 0 then 0 end
        as list_image_output_cost_usd,
    {{ money('case list_case when 1 then rated_usd when 0 then 0 end') }} as list_cost_usd,
    {{ money('case list_case when 1 then rated_usd when 0 then 0 end') }} as contracted_cost_usd,
    {{ money(
        "case
            when price_status = 'reported' then reported_cost_usd
            when price_status = 'not_charged' then 0
            when price_status in ('priced', 'priced_fallback') then rated_usd
        end"
    ) }} as effective_cost_usd,
    case
        when price_status in ('unmatched_model', 'no_rate_for_meter') and total_tokens > 0
            then
                {{ money('total_input_tokens * estimate_input_usd_per_unit') }}
                + {{ money('total_output_tokens * estimate_output_usd_per_unit') }}
    end as estimated_cost_usd
from listed
