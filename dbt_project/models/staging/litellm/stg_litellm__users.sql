-- one row per user of a proxy, as the proxy last listed it
with source as (
    select * from {{ newest_windows('litellm', 'users') }}
)

select
    source_instance,
    user_id,
    lower(nullif(user_email, '')) as user_email,
    nullif(user_alias, '') as user_alias,
    max_budget as limit_usd,
    {{ utc('extracted_at') }} as extracted_at
from source
