-- one row per month and line of its statement. A closed month's rows are what was frozen when it closed, for ever; what
-- has changed since stands in the first open month, as lines with a corrected_period
{% set dimensions = statement_dimensions() %}
{% set measures = statement_amounts() + statement_counts() %}
with frozen_lines as (
    select * from {{ ref('stg_decisions__closed_totals') }}
),

current_lines as (
    select * from {{ ref('int_closing__current_lines') }}
),

differences as (
    select * from {{ ref('int_closing__differences') }}
),

books as (
    select * from {{ ref('int_closing__books') }}
),

lines as (
    select
        period_on,
        true as is_closed,
        corrected_period,
        {{ (dimensions + measures) | join(',\n        ') }}
    from frozen_lines
    union all
    select
        current_lines.period_on,
        false as is_closed,
        cast(null as {{ dbt.type_string() }}) as corrected_period,
        current_lines.{{ (dimensions + measures) | join(',\n        current_lines.') }}
    from current_lines
    cross join books
    where books.last_closed_on is null
        or current_lines.period_on > books.last_closed_on
    union all
    select
        booked_on as period_on,
        false as is_closed,
        substr(cast(corrected_on as {{ dbt.type_string() }}), 1, 7) as corrected_period,
        {{ (dimensions + measures) | join(',\n        ') }}
    from differences
)

select
    substr(cast(period_on as {{ dbt.type_string() }}), 1, 7) as period,
    is_closed,
    corrected_period,
    {{ (dimensions + measures) | join(',\n    ') }}
from lines
