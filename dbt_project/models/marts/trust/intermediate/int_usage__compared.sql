-- one row per act of a rebuilt day that is not what the last pass published, before and after, with the reason
{% set compared_columns = [
    'entity_key', 'customer_key', 'source_instance', 'provider', 'model_id', 'unit', 'effective_cost_usd',
    'estimated_cost_usd', 'charged_usd', 'quantity', 'total_tokens',
] %}
with captured as (
    select * from {{ ref('int_usage__replaced') }}
),

facts as (
    select * from {{ ref('fct_usage') }}
),

versions as (
    select * from {{ ref('int_usage__versions') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

-- After a crash a day may have been captured twice: what stood before the first time is what was published.
days as (
    select
        usage_on,
        min(pass_id) as first_pass_id,
        max(case when usage_key is not null then 1 else 0 end) as has_acts
    from captured
    group by usage_on
),

before as (
    select captured.*
    from captured
    inner join days
        on captured.usage_on = days.usage_on
        and captured.pass_id = days.first_pass_id
    where captured.usage_key is not null
),

after as (
    select facts.*
    from facts
    inner join days
        on facts.usage_on = days.usage_on
),

compared as (
    select
        coalesce(before.usage_key, after.usage_key) as usage_key,
        coalesce(before.usage_on, after.usage_on) as usage_on,
        before.usage_key is null as is_added,
        after.usage_key is null as is_gone,
        before.row_hash is distinct from after.row_hash as is_other_content,
        before.entity_key is distinct from after.entity_key
        or before.customer_key is distinct from after.customer_key as is_moved,
        before.cost_policy is distinct from after.cost_policy
        or before.price_rule_id is distinct from after.price_rule_id
        -- Charged otherwise at the same cost: sold under other terms.
        or before.effective_cost_usd = after.effective_cost_usd
        and before.charged_usd is distinct from after.charged_usd as is_other_rule,
        before.cost_basis is distinct from after.cost_basis
        or before.provider is distinct from after.provider
        or before.model_id is distinct from after.model_id as is_other_basis,
        -- A rate that became known, or is known no more, whatever model it is of.
        before.cost_basis is null and after.cost_basis in ('list', 'contracted')
        or after.cost_basis is null and before.cost_basis in ('list', 'contracted') as is_rate_found_or_lost,
        {% for column in compared_columns -%}
        before.{{ column }} as {{ column }}_before,
        after.{{ column }} as {{ column }}_after{{ ',' if not loop.last }}
        {% endfor %}
    from before
    full outer join after
        on before.usage_key = after.usage_key
        and before.usage_on = after.usage_on
    where before.usage_key is null
        or after.usage_key is null
        {% for column in compared_columns -%}
        or before.{{ column }} is distinct from after.{{ column }}
        {% endfor %}
),

-- An act that went from one day and came to another was corrected.
redated as (
    select usage_key
    from compared
    group by usage_key
    having count(*) > 1
),

-- What is gone though its source still states it is metered elsewhere.
withdrawn as (
    select
        versions.usage_key,
        versions.usage_on
    from versions
    inner join compared
        on versions.usage_key = compared.usage_key
        and versions.usage_on = compared.usage_on
    where compared.is_gone
        and versions.is_removed
    group by
        versions.usage_key,
        versions.usage_on
)

select
    compared.*,
    case
        when redated.usage_key is not null then 'corrected'
        when compared.is_gone and withdrawn.usage_key is not null then 'removed'
        when compared.is_gone then 'duplicate'
        -- An act of a day that was over for a day and had been counted.
        when compared.is_added and days.has_acts = 1
            and compared.usage_on < {{ dbt.dateadd('day', -1, 'cast(current_pass.as_of as date)') }} then 'late'
        when compared.is_added then 'new'
        when compared.is_other_content then 'corrected'
        when compared.is_moved then 'attribution'
        when compared.is_other_rule then 'config'
        when compared.is_rate_found_or_lost then 'price'
        when compared.is_other_basis then 'config'
        else 'price'
    end as reason
from compared
cross join current_pass
inner join days
    on compared.usage_on = days.usage_on
left join redated
    on compared.usage_key = redated.usage_key
left join withdrawn
    on compared.usage_key = withdrawn.usage_key
    and compared.usage_on = withdrawn.usage_on
