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

-- A request id names one act; where there is none, the instant and the sizes point at it. Few acts are suspects, and only
-- they are sorted.
repeated_ids as (
    select provider, request_id
    from charged
    where request_id is not null and total_tokens > 0
    group by provider, request_id
    having count(*) > 1
),

repeated_moments as (
    select provider, occurred_at, total_tokens
    from charged
    where request_id is null and fidelity = 'per_request' and total_tokens > 0
    group by provider, occurred_at, total_tokens
    having count(*) > 1
),

suspects as (
    select charged.*
    from charged
    inner join repeated_ids
        on charged.provider = repeated_ids.provider
        and charged.request_id = repeated_ids.request_id
    union all
    select charged.*
    from charged
    inner join repeated_moments
        on charged.provider = repeated_moments.provider
        and charged.occurred_at = repeated_moments.occurred_at
        and charged.total_tokens = repeated_moments.total_tokens
    where charged.request_id is null and charged.fidelity = 'per_request'
),

-- Alike in everything that tells two calls apart; the row that was there first is the act.
compared as (
    select
        usage_key,
        row_number() over (
            partition by
                provider, usage_on, model_name, total_input_tokens, total_output_tokens, attempt, quantity, request_id,
                case when request_id is null then occurred_at end,
                case when request_id is null then raw_key_hash end,
                case when request_id is null then raw_user end,
                case when request_id is null then session_id end
            order by loaded_at, usage_key
        ) as number_among_alike
    from suspects
),

twins as (
    select usage_key
    from compared
    where number_among_alike > 1
),

judged as (
    select
        charged.*,
        twins.usage_key is not null as is_twin,
        twins.usage_key is not null and charged.effective_cost_usd is not null as is_duplicate,
        charged.effective_cost_usd is null as is_unpriced
    from charged
    left join twins
        on charged.usage_key = twins.usage_key
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
