{# The columns that hold an id of one request, by which another source may know it as well, the surest first: the
   gateway's call id, the cloud's request id, the id of the answer, trace and span, and the id a source gives without
   saying whose it is. #}
{% macro request_ids() -%}
    {{ return({
        'call_id': 'call id',
        'provider_request_id': 'provider request id',
        'response_id': 'response id',
        'span_key': 'trace and span',
        'request_id': 'request id',
    }) }}
{%- endmacro %}

{# One row per row of a relation and id that it bears. #}
{% macro ids_of(relation, columns) -%}
    {% for column in request_ids() -%}
    select
        {% for given in columns -%}
        {{ given }},
        {% endfor -%}
        {{ loop.index }} as id_rank,
        {{ column }} as id
    from {{ relation }}
    where {{ column }} is not null
    {% if not loop.last %}union all{% endif %}
    {% endfor -%}
{%- endmacro %}
