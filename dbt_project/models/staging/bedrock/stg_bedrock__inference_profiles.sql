-- one row per application inference profile, as last listed
with source as (
    select * from {{ newest_windows('bedrock', 'inference_profiles') }}
)

select
    source_instance,
    profile_arn,
    profile_name,
    model_id,
    {{ json_text('tags', 'team') }} as team,
    {{ json_text('tags', 'application') }} as application,
    {{ json_text('tags', 'customer') }} as customer,
    {{ json_text('tags', 'feature') }} as feature,
    load_id
from source
