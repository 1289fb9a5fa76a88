{# Rows of acts, or of sums of them, once for each budget that counts them, with its `budget_id`, its `measure` and the start of
   its period: on each node of both trees as they stood at the time of the act, and on what is above it. `at` is the column of
   that time and `filters` are the budget's that the rows can be asked by, all unless said. Not `dated`, use before and after
   the budget, after now and outside its window counts as well. CTEs `budgets`, `expanded` and `current_pass` are needed beside
   `acts`. #}
{% macro budgeted_acts(acts, at, filters=none, dated=true) -%}
    select
        placed.*,
        budgets.budget_id,
        budgets.measure,
        {{ period_start('budgets', 'placed.' ~ at) }} as period_start_at
    from (
        {{ in_both_trees(acts) | indent(4) }}
    ) as placed
    cross join current_pass
    inner join expanded
        on placed.node_key = expanded.entity_key
        and placed.tree = expanded.tree
        and placed.{{ at }} >= expanded.valid_from_at
        and placed.{{ at }} < expanded.valid_to_at
    inner join budgets
        on expanded.ancestor_key = budgets.entity_key
        and (budgets.scope = 'consolidated' or expanded.depth = 0)
        and {{ budget_counts('budgets', 'placed', filters) | indent(4) }}
        {% if dated -%}
        -- What is dated after now is not used yet; a quarter of an hour, or a day that a total is of, counts from its start.
        and placed.{{ at }} <= current_pass.as_of
        and (budgets.valid_from_at is null or placed.{{ at }} >= budgets.valid_from_at)
        and (budgets.valid_to_at is null or placed.{{ at }} < budgets.valid_to_at)
        -- The last minutes up to now, in whole quarters of an hour.
        and (
            budgets.rolling_minutes is null
            or placed.{{ at }} >= current_pass.as_of - (interval '1 minute') * budgets.rolling_minutes
        )
        {%- endif %}
{%- endmacro %}

{# Whether use is of the kind that a budget counts: of its unit, and of each filter that it has one of its values. #}
{% macro budget_counts(budget, acts, filters=none) -%}
    {%- set columns = {
        'source': 'source_instance', 'provider': 'provider', 'model': 'model_id', 'operation': 'operation',
        'application': 'application_key', 'feature': 'feature_key',
    } -%}
    ({{ budget }}.measure <> 'quantity' or coalesce({{ acts }}.unit, '') = {{ budget }}.unit)
    {%- for filter in filters or columns %}
    and ({{ budget }}.{{ filter }}_filter is null or position(
        concat('|', coalesce({{ acts }}.{{ columns[filter] }}, ''), '|') in {{ budget }}.{{ filter }}_filter
    ) > 0)
    {%- endfor -%}
    {%- if filters is none %}
    and ({{ budget }}.tag_filter is null or position({{ budget }}.tag_filter in coalesce({{ acts }}.budget_tags, '')) > 0)
    {%- endif -%}
{%- endmacro %}

{# What budgeted rows use, in the unit of their budget: what is known, and the estimate of the rest. Cost counts what is
   unpriced by its estimate: a new model must not escape its budget (DESIGN D7). #}
{% macro priced_use() -%}
    case measure
        when 'cost' then effective_cost_usd
        when 'charged' then charged_usd
        when 'tokens' then total_tokens
        when 'quantity' then quantity
        else requests_count
    end
{%- endmacro %}

{% macro estimated_use() -%}
    case when measure = 'cost' then estimated_cost_usd else 0 end
{%- endmacro %}
