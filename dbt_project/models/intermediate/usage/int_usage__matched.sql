-- one row per act of whose request another source's act carries the cost, joined by ids; and one empty row a pass: the
-- mark up to which was looked. All that two rows are joined by lies within a day, and reaches over one row in between
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook='{{ delete_touched_days() }}',
) }}
with versions as (
    select * from {{ ref('int_usage__versions') }}
    where {{ touched_days_filter('usage_on', around=2) }}
),

sources as (
    select * from {{ ref('stg_config__sources') }}
),

evidence_order as (
    select * from {{ ref('stg_config__evidence_order') }}
),

unioned as (
    select * from {{ ref('int_usage__unioned') }}
    where {{ touched_days_filter('usage_on') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

{{ acts_with_shared_ids('versions', 'sources', 'evidence_order') }},

{{ reached_carriers('acts') }},

-- What the carrying source shows besides its best row carries its own cost: a second call, an attempt.
shadows as (
    select
        acts.*,
        carriers.usage_key as best_key,
        carriers.source_instance as carrier_source_instance,
        case
            when acts.is_covered and not carriers.is_covered then 'coverage rule'
            when carriers.can_carry and not acts.can_carry then 'usage'
            when acts.is_undeclared and not carriers.is_undeclared then 'removed source'
            when carriers.evidence_position < acts.evidence_position then 'evidence order'
            else 'source name'
        end as carried_because
    from acts
    inner join reached
        on acts.usage_key = reached.usage_key
    inner join acts as carriers
        on reached.best_rank = carriers.carrier_rank
    where acts.source_instance <> carriers.source_instance
),

-- Of several rows of the carrying source the one with the surest id of its own.
direct as (
    select
        shadows.usage_key,
        pairs.other_key,
        pairs.id_rank,
        row_number() over (
            partition by shadows.usage_key order by pairs.id_rank, pairs.other_rank
        ) as preference
    from shadows
    inner join pairs
        on shadows.usage_key = pairs.usage_key
        and shadows.carrier_source_instance = pairs.other_instance
),

matched as (
    select
        shadows.usage_key,
        shadows.usage_on,
        coalesce(direct.other_key, shadows.best_key) as duplicate_of_usage_key,
        shadows.carrier_source_instance,
        case direct.id_rank
            {% for name in request_ids().values() -%}
            when {{ loop.index }} then '{{ name }}'
            {% endfor -%}
            else 'row in between'
        end as matched_by,
        shadows.carried_because,
        shadows.evidence_position,
        {% for column in inherited_columns() -%}
        {% if column in ('raw_user', 'raw_agent') -%}
        -- A provider's log names the credential and the program that called it, seldom who used them.
        case
            when unioned.evidence_layer = 'provider_log'
                then {{ json_text('unioned.tags', column | replace('raw_', '')) }}
            else unioned.{{ column }}
        end as {{ column }},
        {% elif column == 'tags' -%}
        nullif(unioned.tags, '{}') as tags,
        {% else -%}
        unioned.{{ column }},
        {% endif -%}
        {% endfor -%}
        {% for kind in token_kinds() -%}
        unioned.{{ kind }}_tokens,
        {% endfor -%}
        unioned.total_input_tokens,
        unioned.total_output_tokens
    from shadows
    left join direct
        on shadows.usage_key = direct.usage_key
        and direct.preference = 1
    inner join unioned
        on shadows.usage_key = unioned.usage_key
        and shadows.load_id = unioned.load_id
        and shadows.source_locator = unioned.source_locator
        and not unioned.is_removed
),

marked as (
    select * from matched
    union all
    select
        cast(null as {{ dbt.type_string() }}) as usage_key,
        cast(null as date) as usage_on,
        cast(null as {{ dbt.type_string() }}) as duplicate_of_usage_key,
        cast(null as {{ dbt.type_string() }}) as carrier_source_instance,
        cast(null as {{ dbt.type_string() }}) as matched_by,
        cast(null as {{ dbt.type_string() }}) as carried_because,
        cast(null as bigint) as evidence_position,
        {% for column in inherited_columns() -%}
        cast(null as {{ dbt.type_string() }}) as {{ column }},
        {% endfor -%}
        {% for kind in token_kinds() -%}
        cast(null as bigint) as {{ kind }}_tokens,
        {% endfor -%}
        cast(null as bigint) as total_input_tokens,
        cast(null as bigint) as total_output_tokens
)

select
    marked.*,
    current_pass.pass_id
from marked
cross join current_pass
