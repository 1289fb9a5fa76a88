-- one row per version of a Bedrock invocation or batch record: who its request does not name is named by the tags of the
-- application profile it was made through
{% set named = ['raw_team', 'raw_application', 'raw_customer', 'raw_feature'] %}
{% set columns = given_event_columns() %}
with usage_events as (
    select * from {{ ref('stg_bedrock__invocations') }}
    union all
    select * from {{ ref('stg_bedrock__batch_records') }}
),

profiles as (
    select * from {{ ref('stg_bedrock__inference_profiles') }}
)

select
    {% for column in columns -%}
    {% if column in named -%}
    coalesce(usage_events.{{ column }}, profiles.{{ column | replace('raw_', '') }}) as {{ column }}
    {%- else -%}
    usage_events.{{ column }}
    {%- endif -%}
    {%- if not loop.last %},{% endif %}
    {% endfor -%}
from usage_events
left join profiles
    on usage_events.source_instance = profiles.source_instance
    and usage_events.model_served = profiles.profile_arn
