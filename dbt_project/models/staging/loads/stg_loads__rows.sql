-- one row per source instance, resource and load: how many rows are there of it, of every resource of every system
with unioned as (
    {% for system, tables in systems().items() %}
    {% set is_last_system = loop.last %}
    {% for resource in tables.resources %}
    select
        '{{ system }}' as source,
        '{{ resource }}' as resource,
        source_instance,
        load_id,
        count(*) as rows_count,
        max(extracted_at) as extracted_at
    from {{ raw_rows(system, resource) }}
    group by
        source_instance,
        load_id
    {% if not (is_last_system and loop.last) %}union all{% endif %}
    {% endfor %}
    {% endfor %}
)

select
    source,
    resource,
    source_instance,
    load_id,
    rows_count,
    {{ utc('extracted_at') }} as extracted_at
from unioned
