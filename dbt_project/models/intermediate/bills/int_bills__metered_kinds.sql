-- one row per provider, UTC day, compared model and token kind as the bill tells kinds apart: tokens metered
{% set writes = ['cache_write_5m', 'cache_write_30m', 'cache_write_1h', 'cache_write_12h', 'input', 'tokens'] %}
{# Under which lines a bill may count a kind, the likeliest first. #}
{% set billed_as = {
    'input': ['input', 'tokens'],
    'cache_read': ['cache_read', 'input', 'tokens'],
    'cache_write_5m': ['cache_write_5m'] + writes,
    'cache_write_30m': ['cache_write_30m'] + writes,
    'cache_write_1h': ['cache_write_1h'] + writes,
    'cache_write_12h': ['cache_write_12h'] + writes,
    'output': ['output', 'tokens'],
    'reasoning': ['reasoning', 'output', 'tokens'],
    'audio_input': ['audio_input', 'input', 'tokens'],
    'audio_output': ['audio_output', 'output', 'tokens'],
    'image_input': ['image_input', 'input', 'tokens'],
    'image_output': ['image_output', 'output', 'tokens'],
} %}
with metered as (
    select * from {{ ref('int_bills__metered_by_model') }}
),

billed as (
    select * from {{ ref('int_bills__billed_kinds') }}
),

keyed as (
    select * from {{ ref('int_bills__metered_keys') }}
),

kinds as (
    {% for kind in token_kinds() %}
    select
        metered.provider,
        metered.usage_on,
        keyed.model_key,
        '{{ kind }}' as metered_kind,
        metered.{{ kind }}_tokens as priced_tokens,
        metered.unpriced_{{ kind }}_tokens as unpriced_tokens
    from metered
    inner join keyed
        on metered.provider = keyed.provider
        and metered.model_name = keyed.model_name
        and metered.model_id is not distinct from keyed.model_id
    where metered.{{ kind }}_tokens + metered.unpriced_{{ kind }}_tokens > 0
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

billed_kinds as (
    select provider, model_key, token_kind from billed
    group by provider, model_key, token_kind
),

acceptable as (
    {% for kind in token_kinds() %}
    {% for name in billed_as[kind] %}
    select '{{ kind }}' as metered_kind, '{{ name }}' as token_kind, {{ loop.index }} as preference
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

ranked as (
    select
        billed_kinds.provider,
        billed_kinds.model_key,
        acceptable.metered_kind,
        acceptable.token_kind,
        row_number() over (
            partition by billed_kinds.provider, billed_kinds.model_key, acceptable.metered_kind
            order by acceptable.preference
        ) as preference
    from billed_kinds
    inner join acceptable
        on billed_kinds.token_kind = acceptable.token_kind
)

select
    kinds.provider,
    kinds.usage_on,
    kinds.model_key,
    coalesce(ranked.token_kind, kinds.metered_kind) as token_kind,
    cast(sum(kinds.priced_tokens) as bigint) as priced_tokens,
    cast(sum(kinds.unpriced_tokens) as bigint) as unpriced_tokens
from kinds
left join ranked
    on kinds.provider = ranked.provider
    and kinds.model_key = ranked.model_key
    and kinds.metered_kind = ranked.metered_kind
    and ranked.preference = 1
group by
    kinds.provider,
    kinds.usage_on,
    kinds.model_key,
    coalesce(ranked.token_kind, kinds.metered_kind)
