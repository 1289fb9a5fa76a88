{# Every resource of every system in one: its `source`, its `resource`, and columns of its raw tables `<resource><suffix>`,
   grouped by some of them where asked. #}
{% macro every_resource(columns, suffix='', group_by=none) -%}
    {% for system, tables in systems().items() %}
    {% set is_last_system = loop.last %}
    {% for resource in tables.resources %}
    select
        '{{ system }}' as source,
        '{{ resource }}' as resource,
        {{ columns | join(', ') }}
    from {{ raw_rows(system, resource ~ suffix) }}
    {% if group_by %}group by {{ group_by | join(', ') }}{% endif %}
    {% if not (is_last_system and loop.last) %}union all{% endif %}
    {% endfor %}
    {% endfor %}
{%- endmacro %}
