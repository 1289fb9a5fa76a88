{# The start, in UTC, of the calendar period (of a zone) that a UTC timestamp falls in. #}
{% macro period_start(period, column, zone) -%}
    {{ return(adapter.dispatch('period_start')(period, column, zone)) }}
{%- endmacro %}

{% macro default__period_start(period, column, zone) -%}
    cast(
        date_trunc({{ period }}, ({{ column }} at time zone 'UTC') at time zone {{ zone }})
        at time zone {{ zone }} at time zone 'UTC' as timestamp
    )
{%- endmacro %}

{# The end, in UTC, of the calendar period that starts at a UTC timestamp: calendar steps are taken in local time. #}
{% macro period_end(period, column, zone) -%}
    {{ return(adapter.dispatch('period_end')(period, column, zone)) }}
{%- endmacro %}

{% macro default__period_end(period, column, zone) -%}
    cast(
        (
            cast(({{ column }} at time zone 'UTC') at time zone {{ zone }} as timestamp)
            + case {{ period }}
                when 'day' then interval '1 day'
                when 'week' then interval '7 days'
                when 'month' then interval '1 month'
                when 'quarter' then interval '3 months'
                else interval '1 year'
            end
        ) at time zone {{ zone }} at time zone 'UTC' as timestamp
    )
{%- endmacro %}
