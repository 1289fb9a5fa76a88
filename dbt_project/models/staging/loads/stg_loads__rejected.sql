-- one row per record set aside, of every resource of every system
with unioned as (
    {{ every_resource([
        'source_instance', 'source_locator', 'record_sha256', 'column_name', 'reason', 'extracted_at', 'load_id',
    ], suffix='__rejected') }}
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
