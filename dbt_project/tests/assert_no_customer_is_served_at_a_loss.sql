-- Warns of each month and customer whose known income does not cover its cost: an alert, not an error of the data.
{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'fct_margin_monthly'}}}) }}
select
    month_on,
    customer_key,
    income_usd,
    effective_cost_usd,
    margin_usd
from {{ ref('fct_margin_monthly') }}
where is_negative
