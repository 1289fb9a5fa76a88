{# Rows of a kind of decision in the newest complete snapshot of all of them. #}
{% macro newest_decisions(resource) -%}
    (
        select decided.*
        from {{ raw_rows('decisions', resource) }} as decided
        inner join (
            select max(snapshots.load_id) as load_id
            from {{ raw_rows('decisions', 'snapshots') }} as snapshots
        ) as newest
            on decided.load_id = newest.load_id
    )
{%- endmacro %}
