-- one row per declared charge and UTC day it is for, to the end of the current month: a month's amount spread over the days of the month,
-- a day's as it is, what is paid once on its day; capacity by the hour for the 24 hours of a day
with charges as (
    select * from {{ ref('stg_config__charges') }}
),

commitments as (
    select * from {{ ref('stg_config__commitments') }}
    where commitment_kind = 'ptu_hourly'
),

days as (
    select * from {{ ref('int_charges__days') }}
),

spread as (
    select
        charges.charge_id,
        charges.charge_kind,
        days.day_on as charged_on,
        case
            when charges.period = 'month'
                then {{ allocate_usd('charges.period_amount', '1', 'days.day_number', 'days.days_in_month') }}
            else charges.period_amount
        end as charged_amount,
        -- With the days of the month before it: converted as it grows, a month is exact in dollars as well.
        case
            when charges.period = 'month'
                then
                    {{ allocate_usd(
                        'charges.period_amount', 'days.day_number', 'days.day_number', 'days.days_in_month'
                    ) }}
            else charges.period_amount
        end as reached_amount,
        charges.currency_code
    from charges
    inner join days
        on days.day_on >= charges.valid_from_on
        and (days.day_on < charges.valid_to_on or charges.valid_to_on is null)
        and (charges.period <> 'once' or days.day_on = charges.valid_from_on)
),

hourly as (
    select
        commitments.charge_id,
        commitments.commitment_kind as charge_kind,
        days.day_on as charged_on,
        {{ money('cast(commitments.term_amount as decimal(23, 6)) * commitments.units_count * 24') }}
            as charged_amount,
        {{ money('cast(commitments.term_amount as decimal(23, 6)) * commitments.units_count * 24') }}
            as reached_amount,
        commitments.currency_code
    from commitments
    inner join days
        on days.day_on >= commitments.valid_from_on
        and days.day_on < commitments.valid_to_on
)

select * from spread
union all
select * from hourly
