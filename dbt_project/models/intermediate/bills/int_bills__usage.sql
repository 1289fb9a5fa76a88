-- one row per source instance, provider, UTC day, model and token kind: tokens the provider counted. Some providers
-- report usage apart from their bill (the models below, in disjoint buckets), others only in the lines of the bill
{% set reports = [
    ('anthropic_bill', 'stg_anthropic_bill__usage'),
    ('openai_bill', 'stg_openai_bill__usage'),
] %}
{% set billed_by_the_token = ['aws_cur'] %}
with counted as (
    {% for system, model in reports %}
    {% for kind in token_kinds() %}
    select
        '{{ system }}' as source,
        source_instance,
        provider,
        billed_on,
        model_name,
        '{{ kind }}' as token_kind,
        cast({{ kind }}_tokens as decimal(38, 15)) as billed_tokens
    from {{ ref(model) }}
    where {{ kind }}_tokens > 0
    union all
    {% endfor %}
    {% endfor %}
    select
        source,
        source_instance,
        provider,
        billed_on,
        model_name,
        meter as token_kind,
        quantity as billed_tokens
    from {{ ref('int_bills__lines') }}
    where source in ('{{ billed_by_the_token | join("', '") }}')
        and quantity_unit = 'tokens'
)

select
    source,
    source_instance,
    provider,
    billed_on,
    model_name,
    token_kind,
    cast(round(sum(billed_tokens)) as bigint) as billed_tokens
from counted
group by
    source,
    source_instance,
    provider,
    billed_on,
    model_name,
    token_kind
