-- one row per provider, UTC day with a bill and compared model: what was metered less what was billed, in parts. They sum
-- to the difference exactly, because the rest is what the others leave
with compared as (
    select * from {{ ref('int_bills__kinds_compared') }}
),

metered as (
    select * from {{ ref('int_bills__metered_by_model') }}
),

keyed as (
    select * from {{ ref('int_bills__metered_keys') }}
),

bill_days as (
    select * from {{ ref('int_bills__days') }}
),

metered_days as (
    select
        metered.provider,
        metered.usage_on,
        keyed.model_key,
        sum(metered.metered_cost_usd) as metered_cost_usd,
        sum(metered.duplicate_cost_usd) as duplicate_cost_usd
    from metered
    inner join keyed
        on metered.provider = keyed.provider
        and metered.model_name = keyed.model_name
        and metered.model_id is not distinct from keyed.model_id
    inner join bill_days
        on metered.provider = bill_days.provider
        and metered.usage_on = bill_days.usage_on
    group by
        metered.provider,
        metered.usage_on,
        keyed.model_key
),

-- At the bill's own rates: what one side alone has, what stands on the day before or after, what has no price here.
valued as (
    select
        *,
        {{ money('(excess_tokens - shifted_tokens) * billed_usd_per_unit') }} as coverage_usd,
        {{ money('shifted_tokens * billed_usd_per_unit') }} as timing_usd,
        {{ money('-unpriced_tokens * billed_usd_per_unit') }} as unpriced_usd,
        {{ money('priced_tokens * billed_usd_per_unit') }} as priced_at_bill_usd,
        -- A rate of several lines that differ is not exact.
        {{ money('billed_tokens * billed_usd_per_unit') }} - billed_cost_usd as inexact_usd,
        billed_tokens is null and lines_count > 0 as is_unquantified
    from compared
),

model_days as (
    select
        provider,
        usage_on,
        model_key,
        coalesce(sum(case when not is_unquantified then coverage_usd end), 0) as coverage_usd,
        coalesce(sum(case when not is_unquantified then timing_usd end), 0) as timing_usd,
        coalesce(sum(case when not is_unquantified then unpriced_usd end), 0) as unpriced_usd,
        coalesce(sum(case when not is_unquantified then priced_at_bill_usd end), 0) as priced_at_bill_usd,
        coalesce(sum(case when not is_unquantified then inexact_usd end), 0) as inexact_usd,
        coalesce(sum(case when is_unquantified then billed_cost_usd end), 0) as unquantified_usd,
        sum(lines_count) as lines_count,
        sum(foreign_lines_count) as foreign_lines_count,
        sum(billed_usd_per_unit) is null and sum(lines_count) = 0 as is_never_billed,
        max(case when is_unquantified then 1 else 0 end) = 1 as has_unquantified,
        -- Half of the last place that the lines show: a cent, or a millionth of a dollar.
        0.005 * sum(cent_lines_count) + 0.000001 * sum(lines_count) as rounding_usd
    from valued
    group by
        provider,
        usage_on,
        model_key
),

-- What is left once tokens are equal: the rates differ, or the bill does not say enough to tell. A model whose acts have
-- no tokens has no kinds.
settled as (
    select
        coalesce(model_days.provider, metered_days.provider) as provider,
        coalesce(model_days.usage_on, metered_days.usage_on) as usage_on,
        coalesce(model_days.model_key, metered_days.model_key) as model_key,
        coalesce(model_days.coverage_usd, 0) as coverage_usd,
        coalesce(model_days.timing_usd, 0) as timing_usd,
        coalesce(model_days.unpriced_usd, 0) as unpriced_usd,
        coalesce(model_days.inexact_usd, 0) as inexact_usd,
        coalesce(metered_days.duplicate_cost_usd, 0) as duplicate_usd,
        coalesce(metered_days.metered_cost_usd, 0) as metered_cost_usd,
        coalesce(metered_days.metered_cost_usd, 0)
        - coalesce(model_days.priced_at_bill_usd, 0) - coalesce(model_days.unquantified_usd, 0) as rest_usd,
        coalesce(model_days.is_never_billed, true) as is_never_billed,
        coalesce(model_days.has_unquantified, false) as has_unquantified,
        coalesce(model_days.foreign_lines_count, 0) as foreign_lines_count,
        coalesce(model_days.rounding_usd, 0) as rounding_usd
    from model_days
    full outer join metered_days
        on model_days.provider = metered_days.provider
        and model_days.usage_on = metered_days.usage_on
        and model_days.model_key = metered_days.model_key
)

select
    provider,
    usage_on,
    model_key,
    coverage_usd,
    timing_usd,
    unpriced_usd,
    duplicate_usd,
    inexact_usd,
    rest_usd,
    case
        when is_never_billed then 'coverage'
        when foreign_lines_count > 0 then 'currency'
        when abs(rest_usd) <= rounding_usd then 'rounding'
        when has_unquantified and metered_cost_usd = 0 then 'coverage'
        when has_unquantified or model_key = '*' then 'unexplained'
        else 'price'
    end as rest_reason
from settled
