{# For the model of touched days itself, CTEs up to `shadow_days`: the days of the acts that share an id, in any of their
   versions, with one that changed since the model last looked, or with one that does; but for the days that are touched by
   new versions. Both arguments are CTEs. #}
{% macro shadow_days(versions, new_versions) -%}
changed_acts as (
    select usage_key
    from {{ versions }}
    where pass_id > (select coalesce(max(pass_id), -1) from {{ this }} where reason = 'usage')
    group by usage_key
),

near_versions as (
    select * from {{ versions }}
    where {{ changed_days_filter('usage_on', around=2) }}
),

near_ids as (
    {{ ids_of('near_versions', ['usage_key', 'usage_on']) | indent(4) }}
),
{% set linked = namespace(name='changed_acts') %}
{% for step in (1, 2) %}
ids_{{ step }} as (
    select near_ids.id
    from near_ids
    inner join {{ linked.name }} as linked
        on near_ids.usage_key = linked.usage_key
    group by near_ids.id
),

linked_{{ step }} as (
    select near_ids.usage_key
    from near_ids
    inner join ids_{{ step }} as shared
        on near_ids.id = shared.id
    group by near_ids.usage_key
),
{% set linked.name = 'linked_' ~ step %}
{% endfor %}
shadow_days as (
    select
        near_ids.usage_on,
        'shadow' as reason,
        cast(null as {{ dbt.type_string() }}) as input_version
    from near_ids
    inner join {{ linked.name }} as linked
        on near_ids.usage_key = linked.usage_key
    left join {{ new_versions }} as new_versions
        on near_ids.usage_on = new_versions.usage_on
    where new_versions.usage_on is null
    group by near_ids.usage_on
)
{%- endmacro %}
