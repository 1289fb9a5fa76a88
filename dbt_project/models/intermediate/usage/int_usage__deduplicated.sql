-- one row per act: the current version of each, by usage day, completed by what other sources say of its request. An act
-- whose cost another row carries is a shadow
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook='{{ delete_touched_days() }}',
) }}
with unioned as (
    select * from {{ ref('int_usage__unioned') }}
    where {{ touched_days_filter('usage_on') }}
),

versions as (
    select
        *,
        row_number() over (
            partition by usage_key, usage_on
            order by version_number desc, is_removed
        ) as newest_rank
    from {{ ref('int_usage__versions') }}
    where {{ touched_days_filter('usage_on') }}
),

current_versions as (
    select * from versions
    where newest_rank = 1 and not is_removed
),

-- A carrier's shadows may lie on the days beside its own.
matched as (
    select * from {{ ref('int_usage__matched') }}
    where {{ touched_days_filter('usage_on', around=2) }}
        and usage_key is not null
),

sources as (
    select * from {{ ref('stg_config__sources') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

-- Of what several shadows say the one in the better place counts, and of their splits the finest.
ordered as (
    select
        *,
        row_number() over (
            partition by duplicate_of_usage_key order by evidence_position, usage_key
        ) as shadow_number,
        {% for total in ('total_input_tokens', 'total_output_tokens') -%}
        row_number() over (
            partition by duplicate_of_usage_key
            order by {{ kinds_told(total, 'matched') }} desc, evidence_position, usage_key
        ) as {{ total }}_preference
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from matched
),

given as (
    select
        duplicate_of_usage_key as carrier_key,
        {% for column in inherited_columns() -%}
        coalesce(
            {% for number in (1, 2, 3) -%}
            max(case when shadow_number = {{ number }} then {{ column }} end){{ ',' if not loop.last }}
            {% endfor -%}
        ) as {{ column }},
        {% endfor -%}
        {% for total in ('total_input_tokens', 'total_output_tokens') -%}
        {% for kind in kinds_of_total(total) -%}
        max(case when {{ total }}_preference = 1 then {{ kind }}_tokens end) as {{ kind }}_tokens,
        {% endfor -%}
        max(case when {{ total }}_preference = 1 then {{ total }} end) as {{ total }}
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from ordered
    group by duplicate_of_usage_key
),

current_acts as (
    select unioned.*
    from unioned
    inner join current_versions
        on unioned.usage_key = current_versions.usage_key
        and unioned.load_id = current_versions.load_id
        and unioned.source_locator = current_versions.source_locator
        and not unioned.is_removed
),

completed as (
    select
        {% for column in standard_event_columns() if column not in ('identity_key', 'model_key') -%}
        {% if column == 'tags' -%}
        coalesce(nullif(current_acts.tags, '{}'), given.tags, current_acts.tags) as tags,
        {% elif column == 'evidence_layer' -%}
        {{ evidence_layer_of('current_acts', 'sources') }} as evidence_layer,
        {% elif column in ('raw_user', 'raw_agent') -%}
        -- A provider's log names the credential and the program that called it, seldom who used them.
        case
            when current_acts.evidence_layer = 'provider_log'
                and given.{{ column }} is not null
                and {{ json_text('current_acts.tags', column | replace('raw_', '')) }} is null
                then given.{{ column }}
            else coalesce(current_acts.{{ column }}, given.{{ column }})
        end as {{ column }},
        {% elif column in inherited_columns() -%}
        coalesce(current_acts.{{ column }}, given.{{ column }}) as {{ column }},
        {% elif column.endswith('_tokens') and column | replace('_tokens', '') in token_kinds() -%}
        {% set total = 'total_output_tokens'
            if column | replace('_tokens', '') in kinds_of_total('total_output_tokens') else 'total_input_tokens' -%}
        -- The same total told finer is taken.
        case
            when current_acts.{{ total }} = given.{{ total }}
                and {{ kinds_told(total, 'given') }} > {{ kinds_told(total, 'current_acts') }}
                then given.{{ column }}
            else current_acts.{{ column }}
        end as {{ column }},
        {% else -%}
        current_acts.{{ column }},
        {% endif -%}
        {% endfor -%}
        current_acts.identity_key as own_identity_key,
        current_acts.model_key,
        given.carrier_key is not null as is_carrier,
        matched.usage_key is not null
        or coalesce({{ is_covered('current_acts', 'sources') }}, false) as is_shadow
    from current_acts
    left join given on current_acts.usage_key = given.carrier_key
    left join matched
        on current_acts.usage_key = matched.usage_key
    left join sources
        on current_acts.source_instance = sources.source_instance
)

select
    {% for column in standard_event_columns() -%}
    {% if column == 'identity_key' -%}
    case when completed.is_carrier then {{ identity_key() }} else completed.own_identity_key end as identity_key,
    {% else -%}
    completed.{{ column }},
    {% endif -%}
    {% endfor -%}
    completed.is_shadow,
    current_pass.pass_id
from completed
cross join current_pass
