-- one row per act, day and version: which load holds the act's current content, and the ids other sources may know its
-- request by; append-only. An act that moves to
-- another day leaves an is_removed row on the old one, so that each day can be rebuilt on its own; one that its source
-- no longer states has an is_removed row of its own
-- depends_on: {{ ref('int_usage__loads') }}
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}
{% set content = [
    'row_hash', 'richness', 'load_id', 'source_locator',
    'source_instance', 'evidence_layer', 'raw_key_hash', 'raw_key_alias', 'can_carry',
] + request_ids() | list %}
with unioned as (
    select
        usage_key,
        usage_on,
        is_removed,
        row_hash,
        richness,
        load_id,
        source_locator,
        source_instance,
        evidence_layer,
        raw_key_hash,
        raw_key_alias,
        -- What used nothing, failed without a cost, or only informs, never carries the cost of what did not.
        not coalesce(is_informational, false)
        and not coalesce(status = 'error' and coalesce(reported_cost_usd, 0) = 0, false)
        and (coalesce(total_tokens, 0) > 0 or coalesce(quantity, 0) <> 0 or coalesce(reported_cost_usd, 0) <> 0)
            as can_carry,
        {% for column in request_ids() -%}
        -- An aggregate is no request; what is shorter than an id is a number of somebody's own.
        case when fidelity = 'per_request' and length({{ column }}) >= 8 then {{ column }} end as {{ column }}
        {%- if not loop.last %},{% endif %}
        {% endfor -%}
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
        {{ content | join(',\n        ') }}
    from changed
),

removed_rows as (
    select
        usage_key,
        stored_on as usage_on,
        version_number,
        true as is_removed,
        {{ content | join(',\n        ') }}
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
