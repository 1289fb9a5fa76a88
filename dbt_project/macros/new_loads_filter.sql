{# Loads the versions model has not looked at, as a literal list, so that raw is not scanned for them. Loads of its
   newest pass are looked at again: one of them may have added no version and so left no trace. #}
{% macro new_loads_filter(column) -%}
    {%- if not execute or not is_incremental() -%}
        true
    {%- else -%}
        {%- set query -%}
            select distinct loads.load_id
            from {{ ref('int_usage__loads') }} as loads
            where loads.pass_id >= (select coalesce(max(built.pass_id), -1) from {{ this }} as built)
                and loads.load_id not in (select built.load_id from {{ this }} as built)
            order by loads.load_id
        {%- endset -%}
        {%- set load_ids = run_query(query).columns[0].values() -%}
        {%- if load_ids -%}
            {{ column }} in ('{{ load_ids | join("', '") }}')
        {%- else -%}
            false
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
