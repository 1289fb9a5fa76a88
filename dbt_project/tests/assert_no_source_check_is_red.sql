-- What each source gave is whole and fits. A warning: the marts say what they lack, and new limits of the budgets that rest on
-- a source whose check is red are held.
{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'fct_source_checks'}}}) }}
select
    source_instance,
    check_name,
    wrong_quantity,
    tolerated_quantity
from {{ ref('fct_source_checks') }}
where is_red
