-- one row per line of a provider's bill as last stated, of every bill; `is_authoritative` where its source is the one
-- that owns the provider. A bill joins here with the columns below and its own `bill_line_id`; another currency is
-- converted at the rate of its day, and null where that day has none
{% set bills = [
    ('anthropic_bill', 'stg_anthropic_bill__costs'),
    ('aws_cur', 'stg_aws_cur__line_items'),
    ('databricks', 'int_databricks__billed'),
    ('openai_bill', 'stg_openai_bill__costs'),
] %}
with unioned as (
    {% for system, model in bills %}
    select
        '{{ system }}' as source,
        source_instance,
        bill_line_id,
        provider,
        billed_on,
        line_item,
        model_name,
        meter,
        quantity,
        quantity_unit,
        billed_amount,
        currency_code,
        is_metered_kind,
        raw_workspace,
        raw_key_hash,
        raw_user,
        loaded_at
    from {{ ref(model) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

owned as (
    select * from {{ ref('stg_config__owned_providers') }}
),

fx_rates as (
    select * from {{ ref('stg_config__fx_rates') }}
)

select
    {{ hash_key(['unioned.source', 'unioned.source_instance', 'unioned.bill_line_id']) }} as bill_line_key,
    unioned.source,
    unioned.source_instance,

    unioned.provider,
    unioned.billed_on,
    unioned.line_item,
    unioned.model_name,
    unioned.meter,
    unioned.raw_workspace,
    unioned.raw_key_hash,
    unioned.raw_user,
    unioned.is_metered_kind,
    owned.provider is not null as is_authoritative,

    unioned.quantity,
    unioned.quantity_unit,
    unioned.billed_amount,
    unioned.currency_code,
    {{ to_usd('unioned.billed_amount', 'unioned.currency_code', 'fx_rates.usd_per_unit') }} as billed_cost_usd,

    unioned.loaded_at
from unioned
left join owned
    on unioned.provider = owned.provider
    and unioned.source_instance = owned.source_instance
left join fx_rates
    on unioned.currency_code = fx_rates.currency_code
    and unioned.billed_on >= fx_rates.valid_from_on
    and (unioned.billed_on < fx_rates.valid_to_on or fx_rates.valid_to_on is null)
