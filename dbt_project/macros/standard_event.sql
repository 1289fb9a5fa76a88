{# The columns of the standard usage event out of a CTE of staging, in their order. `given` names the columns that the
   CTE has; the others are their type's null, a token bucket 0 unless `has_tokens` is false (a source that counts no
   tokens). Keys, the day and the totals are always derived here. #}
{% macro standard_event(source, given, has_tokens=true) -%}
    {%- set types = standard_event_types() -%}
    {%- set found = namespace(lines=[]) -%}
    {%- set buckets = [] -%}
    {%- for kind in token_kinds() -%}
        {%- do buckets.append(kind ~ '_tokens') -%}
    {%- endfor -%}
    {%- for column in given_event_columns() -%}
        {%- if column == 'usage_key' -%}
            {%- set value = hash_key(["'" ~ source ~ "'", 'source_instance', 'source_record_id']) -%}
        {%- elif column == 'source' -%}
            {%- set value = "'" ~ source ~ "'" -%}
        {%- elif column == 'usage_on' -%}
            {%- set value = 'cast(occurred_at as date)' -%}
        {%- elif column in ('total_input_tokens', 'total_output_tokens', 'total_tokens') -%}
            {%- if has_tokens -%}
                {%- set value = total_of(column, given) -%}
            {%- else -%}
                {%- set value = 'cast(null as bigint)' -%}
            {%- endif -%}
        {%- elif column in given -%}
            {%- set value = column -%}
        {%- elif column in buckets and has_tokens -%}
            {%- set value = 'cast(0 as bigint)' -%}
        {%- else -%}
            {%- set value = standard_event_default(column, types) -%}
        {%- endif -%}
        {%- if value == column -%}
            {%- do found.lines.append(column) -%}
        {%- else -%}
            {%- do found.lines.append(value ~ ' as ' ~ column) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for column in given if column not in given_event_columns() -%}
        {{ exceptions.raise_compiler_error(column ~ ' is no column of the standard event') }}
    {%- endfor -%}
    {{ return(found.lines | join(',\n    ')) }}
{%- endmacro %}

{# The sum of the disjoint buckets that a source gives, of input, of output or of both. #}
{% macro total_of(total, given) -%}
    {%- set parts = [] -%}
    {%- for kind in kinds_of_total(total) if kind ~ '_tokens' in given -%}
        {%- do parts.append(kind ~ '_tokens') -%}
    {%- endfor -%}
    {{ return('cast(' ~ (parts | join(' + ') if parts else '0') ~ ' as bigint)') }}
{%- endmacro %}

{% macro standard_event_default(column, types) -%}
    {%- set plain = {
        'is_informational': 'false', 'is_removed': 'false', 'is_gateway_cache_hit': 'false',
        'attempt': 'cast(1 as integer)', 'richness': 'cast(0 as bigint)', 'usage_origin': "'event'",
    } -%}
    {{ return(plain.get(column, 'cast(null as ' ~ types.get(column, dbt.type_string()) ~ ')')) }}
{%- endmacro %}

{# Types of the columns that are no text. #}
{% macro standard_event_types() -%}
    {%- set types = {
        'occurred_at': 'timestamp', 'period_start_at': 'timestamp', 'period_end_at': 'timestamp',
        'loaded_at': 'timestamp', 'usage_on': 'date', 'latency_ms': 'bigint', 'ttft_ms': 'bigint',
        'attempt': 'integer', 'richness': 'bigint', 'total_mismatch_tokens': 'bigint',
        'quantity': 'decimal(38, 15)', 'reported_cost_usd': 'decimal(38, 15)',
    } -%}
    {%- for kind in token_kinds() -%}
        {%- do types.update({kind ~ '_tokens': 'bigint'}) -%}
    {%- endfor -%}
    {{ return(types) }}
{%- endmacro %}
