-- one row per source instance, statement, period and subject: what a source states of a month or a day
select
    source,
    source_instance,
    statement,
    period,
    subject,
    unit,
    {{ money('sum(quantity)') }} as quantity,
    currency_code,
    {{ money('sum(amount)') }} as amount,
    max(loaded_at) as loaded_at
from {{ ref('int_statements__periods') }}
group by
    source,
    source_instance,
    statement,
    period,
    subject,
    unit,
    currency_code
