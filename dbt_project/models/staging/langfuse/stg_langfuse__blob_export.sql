-- one row per version of an observation (one without usage is removed), as the blob export told it. Buckets stand apart already where they
-- were taken out of the usage map; reasoning is inside the output where the map does not name it
with source as (
    select * from {{ raw_rows('langfuse', 'blob_export') }}
),

{{ langfuse_events(updated_first='0') }}
