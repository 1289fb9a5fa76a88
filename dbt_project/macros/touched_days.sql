{# Literal day ranges an incremental model has to rebuild (DESIGN D19): the touched days of passes above
   its own newest pass. Literal, because a subquery costs twice the time and memory. On a full build: all.
   `around`: with so many days before and after each. #}

{% macro touched_days_filter(column, around=0) -%}
    {%- if not execute or not is_incremental() -%}{{ return('true') }}{%- endif -%}
    {%- set query -%}
        select distinct touched.usage_on
        from {{ ref('int_usage__touched_days') }} as touched
        where touched.pass_id > (select coalesce(max(built.pass_id), -1) from {{ this }} as built)
        order by touched.usage_on
    {%- endset -%}
    {{ days_filter(column, query, around) }}
{%- endmacro %}

{# For the model of touched days itself: the days of what changed since it last looked. #}
{% macro changed_days_filter(column, around) -%}
    {%- if not execute or not is_incremental() -%}{{ return('true') }}{%- endif -%}
    {%- set query -%}
        select distinct versions.usage_on
        from {{ ref('int_usage__versions') }} as versions
        where versions.pass_id > (
            select coalesce(max(built.pass_id), -1) from {{ this }} as built
            where built.reason = 'usage'
        )
        order by versions.usage_on
    {%- endset -%}
    {{ days_filter(column, query, around) }}
{%- endmacro %}

{# The days that a query lists in their order, as literal ranges. #}
{% macro days_filter(column, query, around) -%}
    {%- set ranges = [] -%}
    {%- set one_day = modules.datetime.timedelta(days=1) -%}
    {%- for day in run_query(query).columns[0].values() -%}
        {%- set first_day = day - around * one_day -%}
        {%- set next_day = day + (around + 1) * one_day -%}
        {%- if ranges and ranges[-1][1] >= first_day -%}
            {%- do ranges.append([ranges.pop()[0], next_day]) -%}
        {%- else -%}
            {%- do ranges.append([first_day, next_day]) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not ranges -%}
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
{% macro delete_touched_days(around=0) -%}
    {%- if execute and is_incremental() -%}
        delete from {{ this }} where {{ touched_days_filter('usage_on', around) }}
    {%- endif -%}
{%- endmacro %}
