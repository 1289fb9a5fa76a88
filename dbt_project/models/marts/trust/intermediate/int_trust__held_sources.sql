-- one row per source instance that new limits do not rest on now, with the reason: it is stale, or a check of what it gave is red
with stale as (
    select
        source_instance,
        concat('stale source: ', source_instance) as reason
    from {{ ref('fct_source_freshness') }}
    where is_stale
),

red as (
    select
        source_instance,
        concat('check failed: ', min(check_name), ' of ', source_instance) as reason
    from {{ ref('fct_source_checks') }}
    where is_red
    group by source_instance
)

select
    coalesce(stale.source_instance, red.source_instance) as source_instance,
    coalesce(stale.reason, red.reason) as held_reason
from stale
full outer join red
    on stale.source_instance = red.source_instance
