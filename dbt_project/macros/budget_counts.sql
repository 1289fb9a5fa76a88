{# Whether rolled-up use is of the kind that a budget counts: of each filter that it has, one of its values. #}
{% macro budget_counts(budget, acts) -%}
    {%- set columns = {
        'source': 'source_instance', 'provider': 'provider', 'model': 'model_id', 'operation': 'operation',
        'application': 'application_key', 'feature': 'feature_key',
    } -%}
    {%- for filter, column in columns.items() -%}
    ({{ budget }}.{{ filter }}_filter is null or position(
        concat('|', coalesce({{ acts }}.{{ column }}, ''), '|') in {{ budget }}.{{ filter }}_filter
    ) > 0)
    and {% endfor -%}
    ({{ budget }}.tag_filter is null or position({{ budget }}.tag_filter in coalesce({{ acts }}.budget_tags, '')) > 0)
    and ({{ budget }}.measure <> 'quantity' or coalesce({{ acts }}.unit, '') = {{ budget }}.unit)
{%- endmacro %}
