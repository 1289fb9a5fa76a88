{# CTEs `pairs`, the acts (a CTE) of two sources that bear one id within a day of each other, and `reached`, of each the best
   carrier that is its pair or its pair's pair. #}
{% macro reached_carriers(acts) -%}
act_ids as (
    {{ ids_of(acts, ['usage_key', 'source_instance', 'usage_on', 'carrier_rank']) | indent(4) }}
),

pairs as (
    select
        act_ids.usage_key,
        others.usage_key as other_key,
        others.source_instance as other_instance,
        others.carrier_rank as other_rank,
        min(least(act_ids.id_rank, others.id_rank)) as id_rank
    from act_ids
    inner join act_ids as others
        on act_ids.id = others.id
        and act_ids.source_instance <> others.source_instance
        and abs({{ dbt.datediff('act_ids.usage_on', 'others.usage_on', 'day') }}) <= 1
    group by
        act_ids.usage_key,
        others.usage_key,
        others.source_instance,
        others.carrier_rank
),

beside as (
    select
        acts.usage_key,
        least(acts.carrier_rank, min(pairs.other_rank)) as best_rank
    from {{ acts }} as acts
    inner join pairs
        on acts.usage_key = pairs.usage_key
    group by
        acts.usage_key,
        acts.carrier_rank
),

reached as (
    select
        beside.usage_key,
        least(beside.best_rank, min(others.best_rank)) as best_rank
    from beside
    inner join pairs
        on beside.usage_key = pairs.usage_key
    inner join beside as others
        on pairs.other_key = others.usage_key
    group by
        beside.usage_key,
        beside.best_rank
)
{%- endmacro %}
