-- one row per batch read, of every resource of every system
with unioned as (
    {% for system, tables in systems().items() %}
    {% set is_last_system = loop.last %}
    {% for resource in tables.resources %}
    select
        '{{ system }}' as source,
        '{{ resource }}' as resource,
        source_instance,
        source_locator,
        rows_read_count,
        rows_loaded_count,
        rows_rejected_count,
        unknown_fields_count,
        window_key,
        extracted_at,
        load_id
    from {{ raw_rows(system, resource ~ '__reads') }}
    {% if not (is_last_system and loop.last) %}union all{% endif %}
    {% endfor %}
    {% endfor %}
)

select
    source,
    resource,
    source_instance,
    source_locator,
    rows_read_count,
    rows_loaded_count,
    rows_rejected_count,
    unknown_fields_count,
    window_key,
    {{ utc('extracted_at') }} as extracted_at,
    load_id
from unioned
