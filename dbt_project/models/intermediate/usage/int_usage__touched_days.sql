-- one row per day a pass has to rebuild, and why; append-only. Days touched by changed inputs keep their version, so
-- that the next pass knows what has been looked at. What changed touches the days of what other sources say of the same
-- requests, up to two rows away
{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}
with versions as (
    select * from {{ ref('int_usage__versions') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

config_versions as (
    select * from {{ ref('stg_config__versions') }}
),

-- A profile that was listed anew names models and teams of usage that was there before.
newest_profiles as (
    select max(load_id) as profile_load_id
    from {{ ref('stg_bedrock__inference_profiles') }}
),

price_inputs as (
    select * from {{ ref('int_prices__inputs_version') }}
),

-- Suggestions that people accepted, as a text that changes with them; null while there are none.
accepted_identities as (
    select
        {{ dbt.listagg("concat(acceptance_id, ' ', target_key)", "'|'", "order by acceptance_id") }}
            as acceptances
    from {{ ref('stg_decisions__identity_acceptances') }}
),

-- What besides usage decides attribution and cost: when it changes, every day is touched.
inputs as (
    select
        concat_ws(
            ' ',
            config_versions.attribution_version,
            config_versions.pricing_version,
            price_inputs.price_inputs_version,
            newest_profiles.profile_load_id,
            md5(accepted_identities.acceptances)
        ) as input_version
    from config_versions
    cross join price_inputs
    cross join newest_profiles
    cross join accepted_identities
),

-- A repricing, and taking one back, touches the days of its window alone.
repricings as (
    select
        from_at,
        to_at,
        concat(repricing_id, case when is_undone then ' undone' else '' end) as input_version
    from {{ ref('stg_decisions__repricings') }}
),

new_versions as (
    select usage_on
    from versions
    {% if is_incremental() %}
    where pass_id > (select coalesce(max(pass_id), -1) from {{ this }} where reason = 'usage')
    {% endif %}
    group by usage_on
),

{% if is_incremental() %}
recorded as (
    select
        input_version,
        row_number() over (order by pass_id desc) as newest_rank
    from {{ this }}
    where reason = 'inputs'
),

new_repricings as (
    select repricings.*
    from repricings
    where repricings.input_version not in (
        select input_version from {{ this }}
        where reason = 'repricing'
    )
),

{{ shadow_days('versions', 'new_versions') }},

changed_inputs as (
    select inputs.input_version
    from inputs
    left join recorded
        on recorded.newest_rank = 1
        and inputs.input_version = recorded.input_version
    where recorded.input_version is null
),
{% else %}
new_repricings as (
    select * from repricings
),

changed_inputs as (
    select input_version from inputs
),
{% endif %}

all_days as (
    select usage_on
    from versions
    group by usage_on
),

touched as (
    select
        usage_on,
        'usage' as reason,
        cast(null as {{ dbt.type_string() }}) as input_version
    from new_versions
    union all
    {% if is_incremental() -%}
    select * from shadow_days
    union all
    {% endif -%}
    select
        all_days.usage_on,
        'inputs' as reason,
        changed_inputs.input_version
    from all_days
    cross join changed_inputs
    union all
    select
        all_days.usage_on,
        'repricing' as reason,
        new_repricings.input_version
    from all_days
    inner join new_repricings
        on all_days.usage_on >= cast(new_repricings.from_at as date)
        and cast(all_days.usage_on as timestamp) < new_repricings.to_at
)

select
    touched.usage_on,
    touched.reason,
    touched.input_version,
    current_pass.pass_id
from touched
cross join current_pass
