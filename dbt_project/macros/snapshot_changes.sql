{# The changes of month-to-date totals between two consecutive readings of their window: one row for each key (`keys`:
   columns) and reading whose `value` differs from the reading before. The first reading of a window counts from zero,
   and what a reading lacks counts as zero there; so the changes of a key sum to its newest reading, always. A reading
   some rows of which were rejected may lack a key for that reason: there a missing one stands as it stood. A change
   belongs to the load that brought its reading and is never another one later. Rows of one key in one reading are one:
   their sum, or the highest where `is_peak` holds. `kept`: columns taken along. #}
{% macro snapshot_changes(system, resource, keys, value, kept, is_peak='false') -%}
    (
        with every_reading as (
            select
                source_instance,
                window_key,
                load_id,
                max(extracted_at) as extracted_at,
                sum(rows_rejected_count) = 0 as is_whole,
                row_number() over (
                    partition by source_instance, window_key order by load_id
                ) as reading_number
            from {{ raw_rows(system, resource ~ '__reads') }} as reads
            where window_key is not null
            group by
                source_instance,
                window_key,
                load_id
        ),

        readings as (
            select
                *,
                min(case when is_whole then reading_number end) over (
                    partition by source_instance, window_key
                    order by reading_number
                    rows between 1 following and unbounded following
                ) as next_whole_number
            from every_reading
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
                readings.next_whole_number,
                lag(totals.total) over (
                    partition by totals.source_instance, totals.window_key,
                        totals.{{ keys | join(', totals.') }}
                    order by readings.reading_number
                ) as total_before,
                lag(readings.next_whole_number) over (
                    partition by totals.source_instance, totals.window_key,
                        totals.{{ keys | join(', totals.') }}
                    order by readings.reading_number
                ) as whole_number_before,
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
                    -- Gone in between: it counts from zero again.
                    when placed.whole_number_before < placed.reading_number then 0
                    else coalesce(placed.total_before, 0)
                end as change
            from placed
            union all
            -- Gone from a later reading, which is whole.
            select
                placed.*,
                placed.next_whole_number as changed_in_reading,
                -placed.total as change
            from placed
            where placed.next_whole_number < placed.number_after
                or (placed.next_whole_number is not null and placed.number_after is null)
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
