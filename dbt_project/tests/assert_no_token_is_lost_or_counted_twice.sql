-- Acts and tokens of the facts are those of the current versions of every source that are no shadows: none
-- lost, none twice.
{{ config(meta={'dagster': {'ref': {'name': 'fct_usage'}}}) }}
with facts as (
    select
        usage_on,
        count(*) as acts_count,
        sum(total_tokens) as total_tokens
    from {{ ref('fct_usage') }}
    group by usage_on
),

current_acts as (
    select
        usage_on,
        count(*) as acts_count,
        sum(total_tokens) as total_tokens
    from {{ ref('int_usage__deduplicated') }}
    where not is_shadow
    group by usage_on
)

select
    coalesce(facts.usage_on, current_acts.usage_on) as usage_on,
    facts.acts_count,
    current_acts.acts_count as expected_acts_count,
    facts.total_tokens,
    current_acts.total_tokens as expected_tokens
from facts
full outer join current_acts
    on facts.usage_on = current_acts.usage_on
where facts.usage_on is null
    or current_acts.usage_on is null
    or facts.acts_count <> current_acts.acts_count
    or facts.total_tokens <> current_acts.total_tokens
