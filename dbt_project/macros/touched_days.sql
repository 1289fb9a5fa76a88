{# Literal day ranges an incremental model has to rebuild (DESIGN D19): the touched days of passes above
   its own newest pass. Literal, because a subquery costs twice the time and memory. On a full build: all. #}

{% macro touched_day_ranges() -%}
    {%- if not execute or not is_incremental() -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set query -%}
        select distinct touched.usage_on
        from {{ ref('int_usage__touched_days') }} as touched
        where touched.pass_id > (select coalesce(max(built.pass_id), -1) from {{ this }} as built)
        order by touched.usage_on
    {%- endset -%}
    {%- set ranges = [] -%}
    {%- for day in run_query(query).columns[0].values() -%}
        {%- set next_day = day + modules.datetime.timedelta(days=1) -%}
        {%- if ranges and ranges[-1][1] == day -%}
            {%- do ranges.append([ranges.pop()[0], next_day]) -%}
        {%- else -%}
            {%- do ranges.append([day, next_day]) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(ranges) }}
{%- endmacro %}

{% macro touched_days_filter(column) -%}
    {%- set ranges = touched_day_ranges() -%}
    {%- if ranges is none -%}
        true
    {%- elif not ranges -%}
        false
    {%- else -%}
        (
        {%- for first_day, next_day in ranges %}
        ({{ column }} >= date '{{ first_day }}' and {{ column }} < date '{{ next_day }}')
        {%- if not loop.last %} or {% endif -%}
        {%- endfor %}
        )
    {%- endif -%}
{%- endmacro %}

{# Pre-hook of every day-wise incremental model: its touched days go, then the model appends them anew, in one
   transaction. Unlike delete+insert this also empties a day from which the last event has moved away. #}
{% macro delete_touched_days() -%}
    {%- if execute and is_incremental() -%}
        delete from {{ this }} where {{ touched_days_filter('usage_on') }}
    {%- endif -%}
{%- endmacro %}
