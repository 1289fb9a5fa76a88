-- one row per source instance, resource, load, column and reason: records that did not fit and were set aside
{% set resources = [('litellm', 'spend_logs'), ('bedrock', 'invocations')] %}
with rejected as (
    {% for system, resource in resources -%}
    select
        '{{ system }}' as source,
        '{{ resource }}' as resource,
        source_instance,
        column_name,
        reason,
        source_locator,
        record_sha256,
        extracted_at,
        load_id
    from {{ ref('stg_' ~ system ~ '__rejected_' ~ resource) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    source,
    source_instance,
    resource,
    load_id,
    column_name,
    reason,
    count(*) as rows_count,
    min(source_locator) as example_locator,
    max(extracted_at) as extracted_at
from rejected
group by
    source,
    source_instance,
    resource,
    load_id,
    column_name,
    reason
