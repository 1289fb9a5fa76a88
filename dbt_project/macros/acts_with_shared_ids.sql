{# CTEs up to `acts`: the current acts of versions (a CTE) that bear an id of which another source knows as well, each with
   its place among those that may carry the cost of a request. #}
{% macro acts_with_shared_ids(versions, sources, evidence_order) -%}
version_ids as (
    {{ ids_of(versions, ['usage_key', 'source_instance']) | indent(4) }}
),

-- Ids that two sources know.
shared_ids as (
    select id
    from version_ids
    group by id
    having min(source_instance) <> max(source_instance)
),

candidates as (
    select version_ids.usage_key
    from version_ids
    inner join shared_ids
        on version_ids.id = shared_ids.id
    group by version_ids.usage_key
),

ranked as (
    select
        versions.*,
        row_number() over (
            partition by versions.usage_key, versions.usage_on
            order by versions.version_number desc, versions.is_removed
        ) as newest_rank
    from {{ versions }} as versions
    inner join candidates
        on versions.usage_key = candidates.usage_key
),

placed as (
    select
        ranked.*,
        coalesce({{ is_covered('ranked', 'sources') }}, false) as is_covered,
        -- What was read of a source that is declared no more stays, and stands behind what is.
        sources.source_instance is null as is_undeclared,
        -- A source named by itself goes before its layer's place.
        coalesce(of_source.position, of_layer.position, 99) as evidence_position
    from ranked
    left join {{ sources }} as sources
        on ranked.source_instance = sources.source_instance
    left join {{ evidence_order }} as of_source
        on ranked.source_instance = of_source.name
    left join {{ evidence_order }} as of_layer
        on {{ evidence_layer_of('ranked', 'sources') }} = of_layer.name
    where ranked.newest_rank = 1
        and not ranked.is_removed
),

-- Which of several rows carries the cost: the lowest.
acts as (
    select
        *,
        row_number() over (
            order by is_covered, can_carry desc, is_undeclared, evidence_position, source_instance, usage_key
        ) as carrier_rank
    from placed
)
{%- endmacro %}

{# What kind of witness an act is: as its source is declared; as the act says itself where its sender said so; and by what its
   system is where the source is declared no more. #}
{% macro evidence_layer_of(acts, sources) -%}
    case
        when {{ sources }}.system in ('collector', 'otel') then coalesce({{ acts }}.evidence_layer, {{ sources }}.evidence_layer)
        else coalesce({{ sources }}.evidence_layer, {{ acts }}.evidence_layer)
    end
{%- endmacro %}
