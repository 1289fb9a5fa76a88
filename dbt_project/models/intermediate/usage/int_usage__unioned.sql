-- one row per version of an act, of every system, as the standard usage event
{% set systems = [ref('stg_litellm__spend_logs'), ref('stg_bedrock__invocations')] %}
with unioned as (
    {% for system in systems %}
    select
        {{ standard_event_columns() | reject('equalto', 'identity_key') | join(',\n        ') }}
    from {{ system }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    *,
    {{ identity_key() }} as identity_key
from unioned
