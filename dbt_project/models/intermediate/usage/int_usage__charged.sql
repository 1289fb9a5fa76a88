-- one row per act, with what the customer is charged for it: from its effective cost by the terms it is sold under; null
-- where nothing sells it, or its price is not known
with priced as (
    select * from {{ ref('int_usage__priced') }}
),

terms as (
    select * from {{ ref('int_prices__terms') }}
    where side = 'sell'
),

-- Most terms are one factor for everything; only the others have a row here.
slots as (
    select * from terms
    where slots_number is not null
),

joined as (
    select
        priced.*,
        terms.scope_number is not null as is_sold,
        coalesce(terms.plus_usd, terms.floor_usd, terms.cap_usd) is not null as has_bounds,
        -- Two full-width decimals have no product.
        cast(terms.plus_usd as decimal(18, 9)) as plus_usd,
        cast(terms.floor_usd as decimal(18, 9)) as floor_usd,
        cast(terms.cap_usd as decimal(18, 9)) as cap_usd,
        {{ terms_columns('terms', 'slots', 'sell') }}
    from priced
    left join terms
        on {{ terms_join('priced', 'terms', 'sell') }}
    left join slots
        on terms.slots_number = slots.slots_number
),

-- Terms that differ by meter stand on the lines of our own rates; a meter they do not name is charged at cost.
marked_up as (
    select
        *,
        case
            when not is_sold or not is_costed then null
            when price_status = 'not_charged' then 0
            when not has_sell_terms then effective_cost_usd
            when sell_uniform_factor_ratio is not null
                then {{ money_times_ratio('effective_cost_usd', 'sell_uniform_factor_ratio') }}
            else {{ sum_of_slots('sell', inner='buy') }}
        end as marked_up_usd
    from joined
),

-- Amounts of a request, for as many requests as a row stands for. What is given back has no fee, floor or cap.
bounded as (
    select
        *,
        case
            when price_status = 'not_charged' or not has_bounds or marked_up_usd < 0 then marked_up_usd
            when marked_up_usd is not null
                then
                    least(
                        greatest(
                            marked_up_usd + coalesce({{ money(slot_count('request') ~ ' * plus_usd') }}, 0),
                            coalesce({{ money(slot_count('request') ~ ' * floor_usd') }}, 0)
                        ),
                        coalesce({{ money(slot_count('request') ~ ' * cap_usd') }}, 99999999999999999999)
                    )
        end as charged
    from marked_up
)

select
    *,
    case when charged is not null then sell_rule_ids end as sell_rule_id,
    {{ money('charged') }} as charged_usd,
    {{ money('charged - effective_cost_usd') }} as margin_usd
from bounded
