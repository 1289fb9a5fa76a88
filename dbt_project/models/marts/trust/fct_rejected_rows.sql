-- one row per source instance, resource, load, column and reason: records that did not fit and were set aside
with rejected as (
    select * from {{ ref('stg_loads__rejected') }}
)

select
    source,
    source_instance,
    resource,
    load_id,
    column_name,
    reason,
    count(*) as rows_count,
    min(source_locator) as example_locator,
    max(extracted_at) as extracted_at
from rejected
group by
    source,
    source_instance,
    resource,
    load_id,
    column_name,
    reason
