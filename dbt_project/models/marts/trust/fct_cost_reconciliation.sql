-- one row per provider and finished UTC day on which it was metered or billed: the bill that owns the provider held
-- against what was metered
with owned as (
    select * from {{ ref('stg_config__owned_providers') }}
),

lines as (
    select * from {{ ref('int_bills__lines') }}
    where is_authoritative
),

usage_reports as (
    select * from {{ ref('int_bills__usage') }}
),

metered as (
    select * from {{ ref('int_bills__metered') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

billed as (
    select
        provider,
        billed_on as usage_on,
        {{ money('sum(billed_cost_usd)') }} as billed_cost_usd,
        {{ money('sum(case when is_metered_kind then billed_cost_usd end)') }} as billed_model_cost_usd,
        {{ money('sum(case when not is_metered_kind then billed_cost_usd end)') }} as billed_other_cost_usd,
        sum(case when billed_cost_usd is null then 1 else 0 end) as unconverted_lines_count
    from lines
    group by
        provider,
        billed_on
),

counted as (
    select
        usage_reports.provider,
        usage_reports.billed_on as usage_on,
        cast(sum(usage_reports.billed_tokens) as bigint) as billed_tokens
    from usage_reports
    inner join owned
        on usage_reports.provider = owned.provider
        and usage_reports.source_instance = owned.source_instance
    group by
        usage_reports.provider,
        usage_reports.billed_on
),

every_day as (
    select provider, usage_on from billed
    union
    select provider, usage_on from counted
    union
    select provider, usage_on from metered
),

compared as (
    select
        every_day.provider,
        every_day.usage_on,
        owned.source_instance,
        billed.billed_cost_usd,
        billed.billed_model_cost_usd,
        billed.billed_other_cost_usd,
        coalesce(metered.metered_cost_usd, 0) as metered_cost_usd,
        coalesce(metered.metered_cost_usd, 0) - billed.billed_cost_usd as difference_usd,
        counted.billed_tokens,
        coalesce(metered.metered_tokens, 0) as metered_tokens,
        coalesce(metered.unpriced_tokens, 0) as unpriced_tokens,
        coalesce(billed.unconverted_lines_count, 0) as unconverted_lines_count,
        -- Whichever is more: one in a hundred, or one dollar.
        greatest(billed.billed_cost_usd * 0.01, 1) as tolerance_usd
    from every_day
    inner join owned
        on every_day.provider = owned.provider
    cross join current_pass
    left join billed
        on every_day.provider = billed.provider
        and every_day.usage_on = billed.usage_on
    left join counted
        on every_day.provider = counted.provider
        and every_day.usage_on = counted.usage_on
    left join metered
        on every_day.provider = metered.provider
        and every_day.usage_on = metered.usage_on
    where every_day.usage_on < cast(current_pass.as_of as date)
)

select
    provider,
    usage_on,
    source_instance,

    case
        when unconverted_lines_count > 0 then 'other_currency'
        when billed_cost_usd is null then 'no_bill_yet'
        when abs(difference_usd) <= tolerance_usd then 'within_tolerance'
        when difference_usd < 0 then 'billed_beyond_metered'
        else 'metered_beyond_billed'
    end as finding,

    billed_cost_usd,
    billed_model_cost_usd,
    billed_other_cost_usd,
    {{ money('metered_cost_usd') }} as metered_cost_usd,
    {{ money('difference_usd') }} as difference_usd,
    billed_tokens,
    cast(metered_tokens as bigint) as metered_tokens,
    cast(metered_tokens as double precision) / nullif(billed_tokens, 0) as coverage_ratio,
    cast(unpriced_tokens as bigint) as unpriced_tokens,
    cast(unconverted_lines_count as bigint) as unconverted_lines_count
from compared
