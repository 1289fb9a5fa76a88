{# Whether use is of the kind that a budget counts: of each filter that it has, one of its values. `filters` are those that the
   use can be asked by; without them it is rolled-up use, which can be asked by all, by its tags and by its unit. #}
{% macro budget_counts(budget, acts, filters=none) -%}
    {%- set columns = {
        'source': 'source_instance', 'provider': 'provider', 'model': 'model_id', 'operation': 'operation',
        'application': 'application_key', 'feature': 'feature_key',
    } -%}
    {%- for filter in filters or columns -%}
    ({{ budget }}.{{ filter }}_filter is null or position(
        concat('|', coalesce({{ acts }}.{{ columns[filter] }}, ''), '|') in {{ budget }}.{{ filter }}_filter
    ) > 0)
    {%- if not loop.last %}
    and {% endif -%}
    {%- endfor -%}
    {%- if filters is none %}
    and ({{ budget }}.tag_filter is null or position({{ budget }}.tag_filter in coalesce({{ acts }}.budget_tags, '')) > 0)
    and ({{ budget }}.measure <> 'quantity' or coalesce({{ acts }}.unit, '') = {{ budget }}.unit)
    {%- endif -%}
{%- endmacro %}
