-- one row per act, day and version: which load holds the act's current content; append-only. An act that moves to
-- another day leaves an is_removed row on the old one, so that each day can be rebuilt on its own; one that its source
-- no longer states has an is_removed row of its own
-- depends_on: {{ ref('int_usage__loads') }}
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}
with unioned as (
    select
        usage_key,
        usage_on,
        row_hash,
        richness,
        load_id,
        source_locator,
        is_removed
    from {{ ref('int_usage__unioned') }}
    where {{ new_loads_filter('load_id') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

-- The richer record wins, then the newest load, then what is there before what is gone, then the last place in it.
ranked as (
    select
        *,
        row_number() over (
            partition by usage_key
            order by richness desc, load_id desc, is_removed, source_locator desc
        ) as candidate_rank
    from unioned
),

candidates as (
    select * from ranked
    where candidate_rank = 1
),

{% if is_incremental() %}
earlier as (
    select
        versions.*,
        row_number() over (
            partition by versions.usage_key
            order by versions.version_number desc, versions.is_removed
        ) as newest_rank
    from {{ this }} as versions
    where versions.usage_key in (select usage_key from candidates)
),

stored as (
    select * from earlier
    where newest_rank = 1
),

changed as (
    select
        candidates.*,
        stored.usage_on as stored_on,
        coalesce(stored.version_number, 0) + 1 as version_number
    from candidates
    left join stored
        on candidates.usage_key = stored.usage_key
    where (stored.usage_key is null and not candidates.is_removed)
        or (
            candidates.row_hash <> stored.row_hash
            and candidates.richness >= stored.richness
        )
),
{% else %}
changed as (
    select
        *,
        usage_on as stored_on,
        cast(1 as bigint) as version_number
    from candidates
    where not is_removed
),
{% endif %}

current_rows as (
    select
        usage_key,
        usage_on,
        version_number,
        is_removed,
        row_hash,
        richness,
        load_id,
        source_locator
    from changed
),

removed_rows as (
    select
        usage_key,
        stored_on as usage_on,
        version_number,
        true as is_removed,
        row_hash,
        richness,
        load_id,
        source_locator
    from changed
    where stored_on <> usage_on
),

all_rows as (
    select * from current_rows
    union all
    select * from removed_rows
)

select
    all_rows.*,
    current_pass.pass_id
from all_rows
cross join current_pass
