{# The changes of month-to-date totals between two consecutive readings of their window: one row for each key (`keys`:
   columns) and reading whose `value` differs from the reading before. The first reading of a window counts from zero,
   and what a reading lacks counts as zero there; so the changes of a key sum to its newest reading, always. A change
   belongs to the load that brought its reading and is never another one later. Rows of one key in one reading are one:
   their sum, or the highest where `is_peak` holds. `kept`: columns taken along. #}
{% macro snapshot_changes(system, resource, keys, value, kept, is_peak='false') -%}
    (
        with readings as (
            select
                source_instance,
                window_key,
                load_id,
                max(extracted_at) as extracted_at,
                row_number() over (
                    partition by source_instance, window_key order by load_id
                ) as reading_number
            from {{ raw_rows(system, resource ~ '__reads') }} as every_reading
            where window_key is not null
            group by
                source_instance,
                window_key,
                load_id
        ),

        totals as (
            select
                source_instance,
                window_key,
                load_id,
                {{ keys | join(',\n                ') }},
                case when {{ is_peak }} then max({{ value }}) else sum({{ value }}) end as total,
                {% for column in kept -%}
                max({{ column }}) as {{ column }},
                {% endfor -%}
                max(source_locator) as source_locator
            from {{ raw_rows(system, resource) }} as stated
            group by
                source_instance,
                window_key,
                load_id,
                {{ keys | join(',\n                ') }}
        ),

        placed as (
            select
                totals.*,
                readings.reading_number,
                lag(totals.total) over (
                    partition by totals.source_instance, totals.window_key,
                        totals.{{ keys | join(', totals.') }}
                    order by readings.reading_number
                ) as total_before,
                lag(readings.reading_number) over (
                    partition by totals.source_instance, totals.window_key,
                        totals.{{ keys | join(', totals.') }}
                    order by readings.reading_number
                ) as number_before,
                lead(readings.reading_number) over (
                    partition by totals.source_instance, totals.window_key,
                        totals.{{ keys | join(', totals.') }}
                    order by readings.reading_number
                ) as number_after
            from totals
            inner join readings
                on totals.source_instance = readings.source_instance
                and totals.window_key = readings.window_key
                and totals.load_id = readings.load_id
        ),

        changes as (
            select
                placed.*,
                placed.reading_number as changed_in_reading,
                placed.total
                - case
                    when placed.number_before = placed.reading_number - 1 then placed.total_before
                    else 0
                end as change
            from placed
            union all
            -- Gone from the next reading.
            select
                placed.*,
                placed.reading_number + 1 as changed_in_reading,
                -placed.total as change
            from placed
            where placed.number_after is null
                or placed.number_after > placed.reading_number + 1
        )

        select
            changes.source_instance,
            changes.window_key,
            changes.{{ (keys + kept) | join(',\n            changes.') }},
            changes.source_locator,
            changes.change,
            readings.load_id,
            readings.extracted_at
        from changes
        inner join readings
            on changes.source_instance = readings.source_instance
            and changes.window_key = readings.window_key
            and changes.changed_in_reading = readings.reading_number
        where changes.change <> 0
    )
{%- endmacro %}
