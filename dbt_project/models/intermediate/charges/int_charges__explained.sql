-- one row per line of an owned provider's bill and declared charge that it is, whole or in part: a month's lines of one
-- name, oldest first, are the declared amounts of that month, charge by charge, as far as both reach
{{ config(materialized='table') }}
with billed as (
    select
        *,
        cast(date_trunc('month', billed_on) as date) as month_on
    from {{ ref('int_charges__billed_unmetered') }}
    where not is_metered_kind
        and billed_cost_usd > 0
),

declared as (
    select
        *,
        cast(date_trunc('month', charged_on) as date) as month_on,
        coalesce(lower(bill_line), case when charge_kind = 'seats' then 'seats' end) as line_name
    from {{ ref('int_charges__declared') }}
    where is_owned
        and billed_cost_usd > 0
),

named as (
    select
        provider,
        line_name
    from declared
    where bill_line is not null
    group by
        provider,
        line_name
),

-- A line is called as a charge calls it, or else by what it is of.
lines as (
    select
        billed.*,
        coalesce(named.line_name, billed.meter) as line_name
    from billed
    left join named
        on billed.provider = named.provider
        and lower(billed.description) = named.line_name
),

line_ranges as (
    select
        *,
        sum(billed_cost_usd) over (
            partition by provider, month_on, line_name
            order by billed_on, description, source_instance
            rows between unbounded preceding and current row
        ) as reached_usd
    from lines
),

declared_months as (
    select
        provider,
        month_on,
        line_name,
        charge_id,
        charge_kind,
        charge_name,
        scope_entity_key,
        allocation,
        customer_allocation,
        sum(billed_cost_usd) as declared_usd
    from declared
    group by
        provider,
        month_on,
        line_name,
        charge_id,
        charge_kind,
        charge_name,
        scope_entity_key,
        allocation,
        customer_allocation
),

declared_ranges as (
    select
        *,
        sum(declared_usd) over (
            partition by provider, month_on, line_name
            order by charge_id, charge_kind
            rows between unbounded preceding and current row
        ) as reached_usd
    from declared_months
)

select
    line_ranges.source,
    line_ranges.source_instance,
    line_ranges.provider,
    line_ranges.billed_on,
    line_ranges.description,

    declared_ranges.charge_id,
    declared_ranges.charge_kind,
    declared_ranges.charge_name,
    declared_ranges.scope_entity_key,
    declared_ranges.allocation,
    declared_ranges.customer_allocation,

    {{ money(
        'least(line_ranges.reached_usd, declared_ranges.reached_usd)'
        ~ ' - greatest(line_ranges.reached_usd - line_ranges.billed_cost_usd,'
        ~ ' declared_ranges.reached_usd - declared_ranges.declared_usd)'
    ) }} as billed_cost_usd
from line_ranges
inner join declared_ranges
    on line_ranges.provider = declared_ranges.provider
    and line_ranges.month_on = declared_ranges.month_on
    and line_ranges.line_name = declared_ranges.line_name
    and line_ranges.reached_usd > declared_ranges.reached_usd - declared_ranges.declared_usd
    and declared_ranges.reached_usd > line_ranges.reached_usd - line_ranges.billed_cost_usd
