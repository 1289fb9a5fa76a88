-- one row per rejected record
with source as (
    select * from {{ source('raw_bedrock', 'invocations__rejected') }}
),

completed_loads as (
    select load_id from {{ source('raw_bedrock', '_dlt_loads') }}
    where status = 0
)

select
    source.source_instance,
    source.source_locator,
    source.record_sha256,
    source.column_name,
    source.reason,
    {{ utc('source.extracted_at') }} as extracted_at,
    source._dlt_load_id as load_id
from source
inner join completed_loads
    on source._dlt_load_id = completed_loads.load_id
