-- one row per batch read
with source as (
    select * from {{ source('raw_litellm', 'spend_logs__reads') }}
),

completed_loads as (
    select load_id from {{ source('raw_litellm', '_dlt_loads') }}
    where status = 0
)

select
    source.source_instance,
    source.source_locator,
    source.rows_read_count,
    source.rows_loaded_count,
    source.rows_rejected_count,
    source.unknown_fields_count,
    {{ utc('source.extracted_at') }} as extracted_at,
    source._dlt_load_id as load_id
from source
inner join completed_loads
    on source._dlt_load_id = completed_loads.load_id
