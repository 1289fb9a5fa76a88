-- one row per source instance, resource and load: how many rows are there of it, of every resource of every system
with unioned as (
    {{ every_resource(
        ['source_instance', 'load_id', 'count(*) as rows_count', 'max(extracted_at) as extracted_at'],
        group_by=['source_instance', 'load_id'],
    ) }}
)

select
    source,
    resource,
    source_instance,
    load_id,
    rows_count,
    {{ utc('extracted_at') }} as extracted_at
from unioned
