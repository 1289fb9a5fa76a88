-- one row per quarter of an hour (UTC), owner entity, customer, feature, gateway key, system, model, operation, application,
-- unit, tags that a budget asks for and fidelity: fine enough that the days of any zone sum exactly (DESIGN D23)
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook='{{ delete_touched_days() }}',
) }}
{% set dimensions = [
    'usage_on', 'bucket_start_at', 'entity_key', 'customer_key', 'feature_key', 'source', 'source_instance',
    'provider', 'model_id', 'operation', 'raw_key_hash', 'raw_key_alias', 'application_key', 'unit', 'budget_tags', 'fidelity',
] %}
with facts as (
    select * from {{ ref('fct_usage') }}
    where {{ touched_days_filter('usage_on') }}
),

tags_asked_for as (
    select * from {{ ref('stg_config__budget_tags') }}
),

tagged as (
    select
        facts.usage_key,
        concat(
            '|',
            {{ dbt.listagg(
                "concat(tags_asked_for.tag_key, '=', tags_asked_for.tag_value)", "'|'", 'order by tags_asked_for.tag_key'
            ) }},
            '|'
        ) as budget_tags
    from facts
    inner join tags_asked_for
        on {{ json_member('facts.tags', 'tags_asked_for.tag_key') }} = tags_asked_for.tag_value
    group by facts.usage_key
),

usage_events as (
    select
        facts.*,
        tagged.budget_tags,
        {{ quarter_hour('facts.occurred_at') }} as bucket_start_at
    from facts
    left join tagged
        on facts.usage_key = tagged.usage_key
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

rolled_up as (
    select
        {{ dimensions | join(',\n        ') }},
        count(*) as requests_count,
        {{ money('coalesce(sum(quantity), 0)') }} as quantity,
        sum(case when status = 'error' then 1 else 0 end) as errors_count,
        sum(case when is_costed and effective_cost_usd is null then 1 else 0 end)
            as unpriced_requests_count,
        {% for kind in token_kinds() -%}
        cast(sum({{ kind }}_tokens) as bigint) as {{ kind }}_tokens,
        {{ money('coalesce(sum(list_' ~ kind ~ '_cost_usd), 0)') }} as list_{{ kind }}_cost_usd,
        {% endfor -%}
        {{ money('coalesce(sum(list_request_cost_usd), 0)') }} as list_request_cost_usd,
        {{ money('coalesce(sum(list_unit_cost_usd), 0)') }} as list_unit_cost_usd,
        cast(sum(total_tokens) as bigint) as total_tokens,
        {{ money('coalesce(sum(list_cost_usd), 0)') }} as list_cost_usd,
        {{ money('coalesce(sum(effective_cost_usd), 0)') }} as effective_cost_usd,
        {{ money('coalesce(sum(estimated_cost_usd), 0)') }} as estimated_cost_usd,
        {{ money('coalesce(sum(charged_usd), 0)') }} as charged_usd,
        -- What the acts cost, or may cost, that nobody is charged for.
        {{ money('coalesce(sum(case when charged_usd is null then coalesce(effective_cost_usd, estimated_cost_usd) end), 0)') }}
            as uncharged_cost_usd,
        {{ money('coalesce(sum(margin_usd), 0)') }} as margin_usd,
        -- What the acts cost that have a margin: charged and cost both known.
        {{ money('coalesce(sum(case when margin_usd is not null then effective_cost_usd end), 0)') }}
            as sold_cost_usd,
        sum(case when margin_usd is not null then 1 else 0 end) as sold_requests_count,
        count(charged_usd) as charged_requests_count,
        sum(case when is_costed and charged_usd is null then 1 else 0 end) as uncharged_requests_count
    from usage_events
    group by
        {{ dimensions | join(',\n        ') }}
)

select
    rolled_up.*,
    current_pass.pass_id
from rolled_up
cross join current_pass
