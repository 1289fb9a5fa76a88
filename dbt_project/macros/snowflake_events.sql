{# The CTE `events` out of a CTE `acts` of Snowflake, one event a part of an act: its `credits` (they carry the money), its
   `tokens` and its `units` (pages, requests), shown beside them. Where an act has no credits its tokens carry it.
   `acts` has act_id, credits and service_type; counted_input, _cache_read, _cache_write, _output and misplaced_tokens;
   other_unit and other_quantity: those of its parts. #}
{% macro snowflake_events(parts) -%}
    {%- set kinds = {
        'input_tokens': 'counted_input', 'cache_read_tokens': 'counted_cache_read',
        'cache_write_5m_tokens': 'counted_cache_write', 'output_tokens': 'counted_output',
    } -%}
events as (
    {%- for part in parts %}
    select
        acts.*,
        concat(acts.act_id, ':{{ part }}') as source_record_id,
        {{ 'true' if 'credits' in parts and part != 'credits' else 'false' }} as is_informational,
        'provider_log' as evidence_layer,
        'snowflake' as provider,
        acts.model_name as model_requested,
        acts.model_name as model_served,
        'disjoint' as token_convention,
        {% for bucket, counted in kinds.items() -%}
        {{ 'coalesce(acts.' ~ counted ~ ', 0)' if part == 'tokens' else 'cast(0 as bigint)' }} as {{ bucket }},
        {% endfor -%}
        {% if part == 'credits' -%}
        cast(null as bigint) as total_mismatch_tokens,
        acts.service_type as service_tier,
        'credits' as unit,
        acts.credits as quantity
        {%- elif part == 'tokens' -%}
        acts.misplaced_tokens as total_mismatch_tokens,
        cast(null as {{ dbt.type_string() }}) as service_tier,
        cast(null as {{ dbt.type_string() }}) as unit,
        cast(null as decimal(38, 15)) as quantity
        {%- else -%}
        cast(null as bigint) as total_mismatch_tokens,
        cast(null as {{ dbt.type_string() }}) as service_tier,
        acts.other_unit as unit,
        acts.other_quantity as quantity
        {%- endif %}
    from acts
    {%- if part == 'tokens' %}
    where coalesce(
        acts.counted_input, acts.counted_cache_read, acts.counted_cache_write, acts.counted_output
    ) is not null
    {%- elif part == 'units' %}
    where acts.other_quantity is not null
    {%- endif %}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)
{%- endmacro %}

{# The standard event out of `events`; `given`: what a view has besides what all have. #}
{% macro snowflake_standard_event(given) -%}
    {{ return(standard_event('snowflake_cortex', given=[
        'source_instance', 'source_record_id', 'evidence_layer', 'fidelity', 'usage_origin',
        'is_informational', 'occurred_at', 'loaded_at', 'provider', 'model_requested',
        'model_served', 'operation', 'service_tier', 'status', 'input_tokens',
        'cache_read_tokens', 'cache_write_5m_tokens', 'output_tokens', 'unit', 'quantity',
        'token_convention', 'total_mismatch_tokens', 'raw_organization', 'row_hash', 'load_id',
        'source_locator',
    ] + given)) }}
{%- endmacro %}

{# What every part of a request has, that several models may have served: columns of the CTE `source`. #}
{% macro snowflake_request_columns() -%}
        source.source_instance,
        source.request_id,
        {{ utc('source.started_at') }} as occurred_at,
        {{ utc('source.extracted_at') }} as loaded_at,
        source.account as raw_organization,
        nullif(source.model_name, '') as model_name,
        coalesce(source.user_email, source.user_name, source.user_id) as raw_user,
        'per_request' as fidelity,
        'event' as usage_origin,
        'ok' as status,
        source.credits,
        source.input_tokens as counted_input,
        source.cache_read_tokens as counted_cache_read,
        source.cache_write_tokens as counted_cache_write,
        source.output_tokens as counted_output,
        source.misplaced_tokens,
        source.version_hash as row_hash,
        source.version_load_id as load_id,
        source.is_removed,
        source.source_locator
{%- endmacro %}
