-- one row per version of an act, of every system, as the standard usage event; a version that says the act is gone
-- from its source is marked
{% set columns = given_event_columns() %}
{% set models = [] %}
{% for system, tables in systems().items() %}
    {% for resource in tables.usage %}
        {% do models.append(resource if resource.startswith('int_') else 'stg_' ~ system ~ '__' ~ resource) %}
    {% endfor %}
{% endfor %}
with unioned as (
    {% for model in models %}
    select
        {{ columns | join(',\n        ') }}
    from {{ ref(model) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    *,
    {{ identity_key() }} as identity_key,
    {{ model_key() }} as model_key
from unioned
