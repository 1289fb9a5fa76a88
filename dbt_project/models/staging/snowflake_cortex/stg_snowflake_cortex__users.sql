-- one row per account and user, as last listed
select
    users.source_instance,
    users.account as account_name,
    users.user_id,
    users.name as user_name,
    users.email,
    {{ utc('users.extracted_at') }} as loaded_at,
    users.load_id
from {{ newest_windows('snowflake_cortex', 'users') }} as users
