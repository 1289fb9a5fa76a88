{# Fails where two half-open ranges of one key overlap; a null upper bound is open. Ranges may be several
   pairs (for example time and size): rows overlap only where every pair does. #}
{% test no_overlapping_ranges(model, key_columns, ranges) %}
with numbered as (
    select
        *,
        row_number() over (
            partition by {{ key_columns | join(', ') }}
            order by {% for lower, upper in ranges %}{{ lower }}{% if not loop.last %}, {% endif %}{% endfor %}
        ) as range_number
    from {{ model }}
)

select
    {% for key in key_columns -%}
    one.{{ key }},
    {% endfor -%}
    one.range_number,
    other.range_number as other_range_number
from numbered as one
inner join numbered as other
    on one.range_number < other.range_number
    {% for key in key_columns -%}
    and one.{{ key }} is not distinct from other.{{ key }}
    {% endfor -%}
    {% for lower, upper in ranges -%}
    and (other.{{ upper }} is null or one.{{ lower }} < other.{{ upper }})
    and (one.{{ upper }} is null or other.{{ lower }} < one.{{ upper }})
    {% endfor %}
{% endtest %}
