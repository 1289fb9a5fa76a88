-- one row per act, with what it lists at and what it costs under negotiated rates; null where that is not known
with rated as (
    select
        *,
        -- Tokens carry an act; what else it counts carries one that counts no tokens.
        used_mask = 0 and coalesce(quantity, 0) <> 0 as is_by_unit,
        {% for kind in token_kinds() -%}
        coalesce(rated_{{ kind }}_usd, 0)
        + {% endfor -%}
        coalesce(rated_request_usd, 0) as rated_usd
    from {{ ref('int_usage__rated') }}
),

terms as (
    select * from {{ ref('int_prices__terms') }}
    where side = 'buy'
),

-- Most terms are one factor for everything; only the others have a row here.
slots as (
    select * from terms
    where slots_number is not null
),

listed as (
    select
        *,
        case
            when is_by_unit then rated_unit_usd
            when price_key is not null and not lacks_a_rate then rated_usd
        end as listed_usd
    from rated
),

joined as (
    select
        listed.*,
        coalesce(terms.is_passthrough, false) as is_passthrough,
        {{ terms_columns('terms', 'slots', 'buy') }}
    from listed
    left join terms
        on {{ terms_join('listed', 'terms', 'buy') }}
    left join slots
        on terms.slots_number = slots.slots_number
)

select
    *,
    case
        when not has_buy_terms then listed_usd
        when buy_uniform_factor_ratio is not null
            then {{ money_times_ratio('listed_usd', 'buy_uniform_factor_ratio') }}
        else {{ sum_of_slots('buy') }}
    end as contracted_usd
from joined
