-- Fails for two rules of one score that are about the same slot at the same time: what config cannot tell by its words, a
-- provider or model under two names, would be decided by chance.
{{ config(meta={'dagster': {'ref': {'name': 'int_prices__terms_matched'}}}) }}
with matched as (
    select * from {{ ref('int_prices__terms_matched') }}
)

select
    one.side,
    one.slot,
    one.rule_id,
    other.rule_id as other_rule_id,
    count(*) as names_count
from matched as one
inner join matched as other
    on one.side = other.side
    and one.scope_number = other.scope_number
    and one.name_number = other.name_number
    and one.unit = other.unit
    and one.slot = other.slot
    and one.score = other.score
    and one.rule_id < other.rule_id
    and one.valid_from_at < other.valid_to_at
    and other.valid_from_at < one.valid_to_at
group by
    one.side,
    one.slot,
    one.rule_id,
    other.rule_id
