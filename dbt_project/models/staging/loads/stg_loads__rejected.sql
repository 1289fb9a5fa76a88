-- one row per record set aside, of every resource of every system
with unioned as (
    {% for system, tables in systems().items() %}
    {% set is_last_system = loop.last %}
    {% for resource in tables.resources %}
    select
        '{{ system }}' as source,
        '{{ resource }}' as resource,
        source_instance,
        source_locator,
        record_sha256,
        column_name,
        reason,
        extracted_at,
        load_id
    from {{ raw_rows(system, resource ~ '__rejected') }}
    {% if not (is_last_system and loop.last) %}union all{% endif %}
    {% endfor %}
    {% endfor %}
)

select
    source,
    resource,
    source_instance,
    source_locator,
    record_sha256,
    column_name,
    reason,
    {{ utc('extracted_at') }} as extracted_at,
    load_id
from unioned
