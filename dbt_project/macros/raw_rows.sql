{# Rows of a resource that complete loads brought, with their `load_id`: what a killed load left behind does not count. #}
{% macro raw_rows(system, resource) -%}
    (
        select
            raw.*,
            raw._dlt_load_id as load_id
        from {{ source('raw_' ~ system, resource) }} as raw
        inner join {{ source('raw_' ~ system, '_dlt_loads') }} as loads
            on raw._dlt_load_id = loads.load_id
            and loads.status = 0
    )
{%- endmacro %}

{# Rows of a windowed resource as its vendor last stated them: of each window only the newest complete reading. #}
{% macro newest_windows(system, resource) -%}
    (
        select stated.*
        from {{ raw_rows(system, resource) }} as stated
        inner join (
            select
                source_instance,
                window_key,
                max(load_id) as load_id
            from {{ raw_rows(system, resource ~ '__reads') }} as readings
            where window_key is not null
            group by
                source_instance,
                window_key
        ) as newest
            on stated.source_instance = newest.source_instance
            and stated.window_key = newest.window_key
            and stated.load_id = newest.load_id
    )
{%- endmacro %}

{# Every version of the rows of a windowed resource: as they were read, and, where a newer reading of the window lacks
   the row of a natural key (`keys`: its columns), once more with `is_removed`, brought by that reading's load. A reading
   of which a row was rejected takes nothing back: the row may be the rejected one.
   `version_load_id` and `version_hash` stand for `load_id` and `row_hash`. #}
{% macro restated_rows(system, resource, keys) -%}
    (
        select
            stated.*,
            stated.load_id as version_load_id,
            stated.row_hash as version_hash,
            false as is_removed
        from {{ raw_rows(system, resource) }} as stated
        union all
        select
            stated.*,
            readings.next_load_id as version_load_id,
            'removed' as version_hash,
            true as is_removed
        from {{ raw_rows(system, resource) }} as stated
        inner join (
            select
                source_instance,
                window_key,
                load_id,
                min(case when rejected_count = 0 then load_id end) over (
                    partition by source_instance, window_key order by load_id
                    rows between 1 following and unbounded following
                ) as next_load_id
            from (
                select
                    source_instance,
                    window_key,
                    load_id,
                    sum(rows_rejected_count) as rejected_count
                from {{ raw_rows(system, resource ~ '__reads') }} as every_reading
                where window_key is not null
                group by
                    source_instance,
                    window_key,
                    load_id
            ) as readings_by_load
        ) as readings
            on stated.source_instance = readings.source_instance
            and stated.window_key = readings.window_key
            and stated.load_id = readings.load_id
        left join {{ raw_rows(system, resource) }} as later
            on later.source_instance = stated.source_instance
            and later.window_key = stated.window_key
            and later.load_id = readings.next_load_id
            {% for key in keys -%}
            and later.{{ key }} is not distinct from stated.{{ key }}
            {% endfor -%}
        where readings.next_load_id is not null
            and later.load_id is null
    )
{%- endmacro %}
