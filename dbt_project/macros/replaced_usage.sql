{# The facts as the last pass left them, for models that come before they are rebuilt: a relation, not a ref, since the
   facts are made of what comes before. None before the first build. #}
{% macro existing_mart(schema, identifier) -%}
    {%- if not execute -%}{{ return(none) }}{%- endif -%}
    {{ return(adapter.get_relation(
        database='marts' if target.type == 'duckdb' else target.database, schema=schema, identifier=identifier
    )) }}
{%- endmacro %}

{# Pre-hook of int_usage__replaced: what has been compared is no longer needed. #}
{% macro forget_compared_usage() -%}
    {%- if execute and is_incremental() -%}
        {%- set restated = adapter.get_relation(
            database=this.database, schema=this.schema, identifier='int_usage__restated'
        ) -%}
        {%- if restated is not none -%}
            delete from {{ this }}
            where pass_id <= (select coalesce(max(restated.pass_id), -1) from {{ restated }} as restated)
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
