{# The start, in UTC, of a budget's period that a UTC timestamp falls in: the calendar's in its zone. An hour is counted from
   the minute alone, so that the hours before and after a change of clocks are two. What has no calendar (lifetime,
   rolling) starts with the budget. #}
{% macro period_start(budget, column) -%}
    {{ return(adapter.dispatch('period_start')(budget, column)) }}
{%- endmacro %}

{% macro default__period_start(budget, column) -%}
    {%- set local = '((' ~ column ~ " at time zone 'UTC') at time zone " ~ budget ~ '.timezone)' -%}
    {%- set anchor = "(interval '1 day') * (" ~ budget ~ '.anchor_day - 1)' -%}
    case
        when {{ budget }}.period in ('lifetime', 'rolling')
            then coalesce({{ budget }}.valid_from_at, timestamp '1970-01-01 00:00:00')
        when {{ budget }}.period = 'hour'
            then date_trunc('minute', {{ column }}) - (interval '1 minute') * date_part('minute', {{ local }})
        when {{ budget }}.period in ('month', 'quarter')
            then
                {{ midnight('date_trunc(' ~ budget ~ '.period, ' ~ local ~ ' - ' ~ anchor ~ ') + ' ~ anchor, budget) }}
        else
            {{ midnight('date_trunc(' ~ budget ~ '.period, ' ~ local ~ ')', budget) }}
    end
{%- endmacro %}

{# The end, in UTC, of the period that starts at a UTC timestamp: calendar steps are taken in local time, from midnight also
   where the clocks go forward at midnight and the first day begins at one. #}
{% macro period_end(budget, column) -%}
    {{ return(adapter.dispatch('period_end')(budget, column)) }}
{%- endmacro %}

{% macro default__period_end(budget, column) -%}
    case
        when {{ budget }}.period in ('lifetime', 'rolling')
            then coalesce({{ budget }}.valid_to_at, timestamp '9999-12-31 00:00:00')
        when {{ budget }}.period = 'hour' then {{ column }} + interval '1 hour'
        else
            {% set end -%}
                date_trunc('day', ({{ column }} at time zone 'UTC') at time zone {{ budget }}.timezone)
                + case {{ budget }}.period
                    when 'day' then interval '1 day'
                    when 'week' then interval '7 days'
                    when 'month' then interval '1 month'
                    when 'quarter' then interval '3 months'
                    else interval '1 year'
                end
            {%- endset -%}
            {{ midnight(end, budget) }}
    end
{%- endmacro %}

{# The moment, in UTC, at which a day of a budget's zone begins: where the clocks go back over midnight there are two
   midnights, and the first counts. It follows the last moment of the day before, of two the later one, as `at time zone`
   takes it. #}
{% macro midnight(local, budget) -%}
    cast(
        ({{ local }} - interval '1 microsecond') at time zone {{ budget }}.timezone at time zone 'UTC' as timestamp
    ) + interval '1 microsecond'
{%- endmacro %}
