-- Every row that a load read is loaded or rejected: counts as the reader gave them against the rows that are there.
{{ config(meta={'dagster': {'ref': {'name': 'fct_rejected_rows'}}}) }}
{% set resources = [('litellm', 'spend_logs'), ('bedrock', 'invocations')] %}
{% for system, resource in resources %}
select
    '{{ system }}' as source,
    reads.load_id,
    reads.rows_read_count,
    coalesce(loaded.rows_count, 0) as loaded_count,
    coalesce(rejected.rows_count, 0) as rejected_count
from (
    select load_id, sum(rows_read_count) as rows_read_count
    from {{ ref('stg_' ~ system ~ '__reads_' ~ resource) }}
    group by load_id
) as reads
left join (
    select load_id, count(*) as rows_count
    from {{ ref('stg_' ~ system ~ '__' ~ resource) }}
    group by load_id
) as loaded
    on reads.load_id = loaded.load_id
left join (
    select load_id, count(*) as rows_count
    from {{ ref('stg_' ~ system ~ '__rejected_' ~ resource) }}
    group by load_id
) as rejected
    on reads.load_id = rejected.load_id
where reads.rows_read_count <> coalesce(loaded.rows_count, 0) + coalesce(rejected.rows_count, 0)
{% if not loop.last %}union all{% endif %}
{% endfor %}
