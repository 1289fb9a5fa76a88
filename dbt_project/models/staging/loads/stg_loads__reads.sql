-- one row per batch read, of every resource of every system
with unioned as (
    {{ every_resource([
        'source_instance', 'source_locator', 'rows_read_count', 'rows_loaded_count', 'rows_rejected_count',
        'unknown_fields_count', 'window_key', 'extracted_at', 'load_id',
    ], suffix='__reads') }}
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
