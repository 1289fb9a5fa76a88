{# Whether another source meters an act already: its source is covered whole, or in the keys that it names. #}
{% macro is_covered(usage_events, sources) -%}
    (
        {{ sources }}.covered_by is not null
        and (
            {{ sources }}.covered_keys_json is null
            {% for column in ('raw_key_alias', 'raw_key_hash') -%}
            or position(
                concat('"', coalesce({{ usage_events }}.{{ column }}, '|'), '"')
                in {{ sources }}.covered_keys_json
            ) > 0
            {% endfor -%}
        )
    )
{%- endmacro %}
