-- one row per negotiated or selling rule, meter and service tier it speaks of, of the configuration in force
select
    rule_id,
    side,
    rule_kind,
    scope,
    scope_key,
    feature_key,
    provider,
    model_name,
    meter,
    service_tier,
    cast(priority as integer) as priority,
    cast(rate_usd_per_unit as decimal(18, 15)) as rate_usd_per_unit,
    cast(factor_ratio as decimal(9, 6)) as factor_ratio,
    {{ money('amount_usd') }} as amount_usd,
    is_on_previous,
    valid_from_at,
    valid_to_at
from {{ ref('stg_config__price_rules') }}
