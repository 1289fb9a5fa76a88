-- Every row that a load read is loaded or rejected: counts as the reader gave them against the rows that are there.
{{ config(meta={'dagster': {'ref': {'name': 'fct_rejected_rows'}}}) }}
with reads as (
    select
        source,
        resource,
        load_id,
        sum(rows_read_count) as rows_read_count
    from {{ ref('stg_loads__reads') }}
    group by
        source,
        resource,
        load_id
),

rejected as (
    select
        source,
        resource,
        load_id,
        count(*) as rows_count
    from {{ ref('stg_loads__rejected') }}
    group by
        source,
        resource,
        load_id
),

loaded as (
    {% for system, tables in systems().items() %}
    {% set is_last_system = loop.last %}
    {% for resource in tables.resources %}
    select
        '{{ system }}' as source,
        '{{ resource }}' as resource,
        load_id,
        count(*) as rows_count
    from {{ raw_rows(system, resource) }}
    group by load_id
    {% if not (is_last_system and loop.last) %}union all{% endif %}
    {% endfor %}
    {% endfor %}
)

select
    coalesce(reads.source, loaded.source) as source,
    coalesce(reads.resource, loaded.resource) as resource,
    coalesce(reads.load_id, loaded.load_id) as load_id,
    reads.rows_read_count,
    loaded.rows_count as loaded_count,
    rejected.rows_count as rejected_count
from reads
full outer join loaded
    on reads.source = loaded.source
    and reads.resource = loaded.resource
    and reads.load_id = loaded.load_id
left join rejected
    on reads.source = rejected.source
    and reads.resource = rejected.resource
    and reads.load_id = rejected.load_id
where coalesce(reads.rows_read_count, 0)
    <> coalesce(loaded.rows_count, 0) + coalesce(rejected.rows_count, 0)
