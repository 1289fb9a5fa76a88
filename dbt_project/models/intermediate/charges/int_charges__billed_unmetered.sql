-- one row per bill, finished UTC day and line of it by name: what the bill that owns a provider says of the day beyond
-- what was metered then. The metered cost pays for the lines of model use first and for
-- the others only with what is left over, so that metered and charges are the bill wherever the bill is the larger;
-- credits and refunds count whole. A day whose bill has not arrived has no charge
{{ config(materialized='table') }}
with lines as (
    select
        *,
        case when is_metered_kind then 'Model use beyond what was metered' else coalesce(line_item, meter) end
            as description
    from {{ ref('int_bills__lines') }}
    where is_authoritative
        and billed_cost_usd is not null
),

metered as (
    select * from {{ ref('int_bills__metered') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

summed as (
    select
        lines.source,
        lines.source_instance,
        lines.provider,
        lines.billed_on,
        lines.is_metered_kind,
        lines.description,
        min(lines.meter) as meter,
        sum(lines.billed_cost_usd) as billed_cost_usd
    from lines
    cross join current_pass
    where lines.billed_on < cast(current_pass.as_of as date)
    group by
        lines.source,
        lines.source_instance,
        lines.provider,
        lines.billed_on,
        lines.is_metered_kind,
        lines.description
),

-- Model use first, then the others by name: how far the bill reaches with each line.
stacked as (
    select
        *,
        sum(case when billed_cost_usd > 0 or is_metered_kind then billed_cost_usd else 0 end) over (
            partition by provider, billed_on
            order by case when is_metered_kind then 0 else 1 end, description
            rows between unbounded preceding and current row
        ) as stacked_usd
    from summed
),

charged as (
    select
        stacked.*,
        case
            when stacked.billed_cost_usd < 0 and not stacked.is_metered_kind then stacked.billed_cost_usd
            else
                greatest(
                    least(
                        stacked.billed_cost_usd,
                        stacked.stacked_usd - coalesce(metered.metered_cost_usd, 0)
                    ),
                    0
                )
        end as charge_usd
    from stacked
    left join metered
        on stacked.provider = metered.provider
        and stacked.billed_on = metered.usage_on
)

select
    source,
    source_instance,

    provider,
    billed_on,
    is_metered_kind,
    description,
    meter,

    {{ money('charge_usd') }} as billed_cost_usd
from charged
where charge_usd <> 0
