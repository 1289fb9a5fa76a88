-- one row per provider that a bill owns, UTC day and metered model: tokens and cost to be held against the bill's lines.
-- Acts that look the same in every respect are one act metered twice: all but one are counted apart
-- depends_on: {{ ref('int_usage__touched_days') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook='{{ delete_touched_days() }}',
) }}
with usage_events as (
    select * from {{ ref('fct_usage') }}
    where {{ touched_days_filter('usage_on') }}
),

owned as (
    select provider
    from {{ ref('stg_config__owned_providers') }}
    group by provider
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

-- The provider has billed neither what a gateway's cache answered nor what failed for nothing.
charged as (
    select
        usage_events.*,
        coalesce(usage_events.model_served, usage_events.model_requested, '') as model_name
    from usage_events
    inner join owned
        on usage_events.provider = owned.provider
    where usage_events.is_costed
        and usage_events.price_status <> 'not_charged'
),

-- A request id names one act; where there is none, the same instant, key, model and sizes do.
twinned as (
    select
        *,
        row_number() over (
            partition by
                provider, usage_on, model_name, total_input_tokens, total_output_tokens, attempt, quantity,
                coalesce(
                    request_id,
                    concat_ws('|', cast(occurred_at as {{ dbt.type_string() }}), raw_key_hash, raw_user, session_id)
                )
            order by loaded_at, usage_key
        ) > 1
        and total_tokens > 0
        and (request_id is not null or fidelity = 'per_request') as is_twin
    from charged
),

judged as (
    select
        *,
        is_twin and effective_cost_usd is not null as is_duplicate,
        effective_cost_usd is null as is_unpriced
    from twinned
)

select
    judged.provider,
    judged.usage_on,
    judged.model_id,
    judged.model_name,
    {% for kind in token_kinds() -%}
    cast(sum(case when is_duplicate or is_unpriced then 0 else {{ kind }}_tokens end) as bigint) as {{ kind }}_tokens,
    cast(sum(case when is_unpriced and not is_twin then {{ kind }}_tokens else 0 end) as bigint)
        as unpriced_{{ kind }}_tokens,
    {% endfor -%}
    cast(sum(case when is_duplicate then total_tokens else 0 end) as bigint) as duplicate_tokens,
    {{ money('sum(case when is_duplicate then 0 else coalesce(effective_cost_usd, 0) end)') }} as metered_cost_usd,
    {{ money('sum(case when is_duplicate then effective_cost_usd else 0 end)') }} as duplicate_cost_usd,
    current_pass.pass_id
from judged
cross join current_pass
group by
    judged.provider,
    judged.usage_on,
    judged.model_id,
    judged.model_name,
    current_pass.pass_id
