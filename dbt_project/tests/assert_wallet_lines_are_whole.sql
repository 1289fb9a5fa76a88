-- The parts of a line sum to what it states, and no grant gives more than it held.
{{ config(tags=['ops'], meta={'dagster': {'ref': {'name': 'fct_wallet_ledger'}}}) }}
with lines as (
    select
        line_id as failing_id,
        sum(line_part_usd) - max(line_total_usd) as difference_usd
    from {{ ref('fct_wallet_ledger') }}
    group by line_id
    having sum(line_part_usd) <> max(line_total_usd)
        or max(line_total_usd) <> min(line_total_usd)
),

grants as (
    select
        grant_id as failing_id,
        sum(balance_change_usd) as difference_usd
    from {{ ref('fct_wallet_ledger') }}
    where grant_id is not null
    group by grant_id
    having sum(balance_change_usd) < 0
        or sum(balance_change_usd) > sum(case when balance_change_usd > 0 then balance_change_usd else 0 end)
)

select * from lines
union all
select * from grants
