"""The queries of `meterhouse explain` over the published marts, and the token kinds they name."""

KINDS = (
    *("input", "cache_read", "cache_write_5m", "cache_write_30m", "cache_write_1h"),
    *("cache_write_12h", "output", "reasoning"),
    *("audio_input", "audio_output", "image_input", "image_output"),
)

ACTS = "select * from core.fct_usage where starts_with(usage_key, ?) limit 2"
SHADOWS = "select * from trust.fct_duplicate_usage where starts_with(usage_key, ?) limit 2"
SHADOWS_OF = """
    select usage_key, source_instance, matched_by, carried_because, reported_cost_usd,
        reported_variance_usd
    from trust.fct_duplicate_usage
    where duplicate_of_usage_key = ?
    order by usage_key
"""
OWNER = "select entity_path from core.dim_entities where entity_key = ?"
CUSTOMER = "select customer_path from core.dim_customers where customer_key = ?"
RULES = """
    select * from core.dim_price_rules
    where rule_id in (select unnest($1))
    order by list_position($1, rule_id), meter, service_tier
"""
PRICE = "select * from core.dim_prices where price_version_key = ? and service_tier = ? limit 1"
UNIT_RATE = "select * from core.dim_unit_rates where unit_rate_key = ?"
UNPRICED = """
    select * exclude (usage_on, source_instance, provider, model_name, price_status)
    from trust.fct_unpriced_usage
    where usage_on = ? and source_instance = ? and model_name = ? and price_status = ?
        and unit is not distinct from ?
    limit 1
"""
# Why totals moved is known of the line that an act is part of, not of the act.
RESTATED = """
    select pass_id, reason, effective_cost_usd, total_tokens, requests_count
    from trust.fct_restatements
    where usage_on = ? and source_instance = ? and entity_key = ? and customer_key = ?
        and provider is not distinct from ? and model_id is not distinct from ?
        and reason <> 'new'
    order by pass_id, reason
"""
CORRECTED = """
    select corrected_period, period, reason, effective_cost_usd, total_tokens, requests_count
    from spend.fct_corrections
    where corrected_period = ? and entity_key = ? and customer_key = ?
        and provider is not distinct from ? and model_id is not distinct from ?
    order by period, reason
"""
# The rates an act was priced with: the join of int_usage__rated, with the act's own provider name
# already canonical. Products are taken where money is: in SQL, as exact decimals.
RATES = f"""
    select
        rates.*,
        {
    ", ".join(
        f"acts.{kind}_tokens * rates.{kind}_usd_per_unit = acts.list_{kind}_cost_usd"
        f" as {kind}_adds_up"
        for kind in KINDS
    )
}
    from core.fct_usage as acts
    inner join core.dim_rates as rates
        on coalesce(acts.provider, '') = coalesce(rates.canonical_provider, '')
        and coalesce(acts.model_served, acts.model_requested, '') = rates.model_name
        and coalesce(acts.region, '') = rates.region
        and rates.service_tier = ?
        and acts.occurred_at >= rates.valid_from_at
        and (acts.occurred_at < rates.valid_to_at or rates.valid_to_at is null)
        and coalesce(acts.total_input_tokens, 0) > rates.more_than_input_tokens
        and (
            coalesce(acts.total_input_tokens, 0) <= rates.up_to_input_tokens
            or rates.up_to_input_tokens is null
        )
        and mod(epoch_us(acts.occurred_at) // 60000000 + 4320, 10080) >= rates.week_minute_from
        and mod(epoch_us(acts.occurred_at) // 60000000 + 4320, 10080) < rates.week_minute_to
    where acts.usage_key = ?
    order by
        rates.price_version_key is not distinct from acts.price_version_key desc, rates.provider
    limit 1
"""
