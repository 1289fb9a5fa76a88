-- one row per provider, UTC day with a bill, compared model and token kind: metered and billed tokens, the rate that the
-- bill itself comes to, and the tokens that only stand on the neighbouring day
with billed as (
    select * from {{ ref('int_bills__billed_kinds') }}
),

metered as (
    select * from {{ ref('int_bills__metered_kinds') }}
),

bill_days as (
    select * from {{ ref('int_bills__days') }}
),

joined as (
    select
        coalesce(billed.provider, metered.provider) as provider,
        coalesce(billed.usage_on, metered.usage_on) as usage_on,
        coalesce(billed.model_key, metered.model_key) as model_key,
        coalesce(billed.token_kind, metered.token_kind) as token_kind,
        coalesce(billed.billed_cost_usd, 0) as billed_cost_usd,
        billed.billed_tokens,
        coalesce(metered.priced_tokens, 0) as priced_tokens,
        coalesce(metered.unpriced_tokens, 0) as unpriced_tokens,
        coalesce(billed.lines_count, 0) as lines_count,
        coalesce(billed.cent_lines_count, 0) as cent_lines_count,
        coalesce(billed.foreign_lines_count, 0) as foreign_lines_count
    from billed
    full outer join metered
        on billed.provider = metered.provider
        and billed.usage_on = metered.usage_on
        and billed.model_key = metered.model_key
        and billed.token_kind = metered.token_kind
),

-- The bill's rate of the day, and of the month for a day on which it has no such line.
summed as (
    select
        joined.*,
        case when joined.billed_tokens > 0 then joined.billed_cost_usd end as quantified_cost_usd,
        sum(case when joined.billed_tokens > 0 then joined.billed_cost_usd end) over (
            partition by
                joined.provider, joined.model_key, joined.token_kind, extract(year from joined.usage_on),
                extract(month from joined.usage_on)
        ) as month_cost_usd,
        sum(joined.billed_tokens) over (
            partition by
                joined.provider, joined.model_key, joined.token_kind, extract(year from joined.usage_on),
                extract(month from joined.usage_on)
        ) as month_tokens
    from joined
    inner join bill_days
        on joined.provider = bill_days.provider
        and joined.usage_on = bill_days.usage_on
),

rated as (
    select
        *,
        coalesce(
            {{ billed_unit_rate('quantified_cost_usd', 'billed_tokens') }},
            {{ billed_unit_rate('month_cost_usd', 'month_tokens') }}
        ) as billed_usd_per_unit,
        case
            when billed_tokens is null and lines_count > 0 then 0
            else priced_tokens + unpriced_tokens - coalesce(billed_tokens, 0)
        end as excess_tokens
    from summed
),

-- Two days beside one another close where what one has too much the other has too little, to a tenth.
paired as (
    select
        *,
        lead(usage_on) over (partition by provider, model_key, token_kind order by usage_on) as next_on,
        lead(excess_tokens) over (partition by provider, model_key, token_kind order by usage_on) as next_excess_tokens
    from rated
),

closing as (
    select
        *,
        case
            when next_on = usage_on + 1
                and excess_tokens * next_excess_tokens < 0
                and abs(excess_tokens + next_excess_tokens) * 10 <= greatest(abs(excess_tokens), abs(next_excess_tokens))
                then least(abs(excess_tokens), abs(next_excess_tokens))
            else 0
        end as offered_tokens
    from paired
),

-- Of pairs in a row every second one counts, so that no day is used twice.
runs as (
    select
        *,
        sum(case when offered_tokens = 0 then 1 else 0 end) over (
            partition by provider, model_key, token_kind
            order by usage_on
            rows between unbounded preceding and current row
        ) as run_number
    from closing
),

placed as (
    select
        *,
        row_number() over (
            partition by provider, model_key, token_kind, run_number, case when offered_tokens = 0 then 0 else 1 end
            order by usage_on
        ) as place
    from runs
),

moved as (
    select
        *,
        case when place % 2 = 1 then offered_tokens else 0 end as moved_tokens
    from placed
),

shifted as (
    select
        *,
        lag(moved_tokens, 1, 0) over (
            partition by provider, model_key, token_kind order by usage_on
        ) as received_tokens
    from moved
)

select
    provider,
    usage_on,
    model_key,
    token_kind,
    {{ money('billed_cost_usd') }} as billed_cost_usd,
    billed_tokens,
    priced_tokens,
    unpriced_tokens,
    billed_usd_per_unit,
    excess_tokens,
    sign(excess_tokens) * (moved_tokens + received_tokens) as shifted_tokens,
    lines_count,
    cent_lines_count,
    foreign_lines_count
from shifted
