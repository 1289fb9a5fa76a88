-- one row per closed month and line whose facts are no longer what was stated, corrections that a later month has
-- stated included: facts less frozen totals. Booked in the first open month
{% set dimensions = statement_dimensions() %}
{% set measures = statement_amounts() + statement_counts() %}
with current_lines as (
    select * from {{ ref('int_closing__current_lines') }}
),

frozen_lines as (
    select * from {{ ref('stg_decisions__closed_totals') }}
),

books as (
    select * from {{ ref('int_closing__books') }}
),

changes as (
    select
        current_lines.period_on as corrected_on,
        current_lines.{{ dimensions | join(',\n        current_lines.') }},
        current_lines.{{ measures | join(',\n        current_lines.') }}
    from current_lines
    inner join books
        on current_lines.period_on <= books.last_closed_on
    union all
    select
        cast(concat(coalesce(corrected_period, period), '-01') as date) as corrected_on,
        {{ dimensions | join(',\n        ') }},
        {% for column in measures -%}
        -{{ column }} as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from frozen_lines
),

summed as (
    select
        corrected_on,
        {{ dimensions | join(',\n        ') }},
        {% for column in statement_amounts() -%}
        {{ money('sum(' ~ column ~ ')') }} as {{ column }},
        {% endfor -%}
        {% for column in statement_counts() -%}
        cast(sum({{ column }}) as bigint) as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from changes
    group by
        corrected_on,
        {{ dimensions | join(',\n        ') }}
)

select
    books.booked_on,
    summed.*
from summed
cross join books
where {% for column in measures -%}
    summed.{{ column }} <> 0{{ ' or ' if not loop.last }}
    {%- endfor %}
