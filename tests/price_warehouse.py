"""A warehouse with the price models built over a landed price file and hand-made usage."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import duckdb
import pyarrow as pa

from bench.warehouse import MODEL_COLUMNS, MODEL_KEY
from bench.warehouse import PRICE_MODELS as TOKEN_PRICE_MODELS
from price_catalog.cost import Usage

# Everything that turns a price file and attributed usage into cost, and what it says of itself.
PRICE_MODELS = [
    *TOKEN_PRICE_MODELS,
    "stg_price_catalog__unit_rates",
    "int_prices__contract_runs",
    "int_prices__contract_ranges",
    "int_prices__unit_rates_stated",
    "int_prices__unit_offers",
    "int_prices__units_seen",
    "int_prices__unit_rates_matched",
    "int_prices__unit_rates",
    "dim_prices",
    "dim_models",
    "assert_every_seen_name_joins_to_one_price_row",
    "assert_no_two_price_rules_are_as_specific",
]
OCCURRED_AT = datetime(2026, 11, 22, 12)  # noqa: DTZ001 (the warehouse stores naive UTC)
TOKEN_BUCKETS = tuple(Usage.__dataclass_fields__)

ALIASES = [
    # provider, model_raw, target_provider, target_model, valid_from_at, valid_to_at
    ("azure", "acme-prod", "azure", "gpt-4o", None, datetime(2026, 11, 22)),  # noqa: DTZ001
    ("azure", "acme-prod", "azure", "gpt-4o-mini", datetime(2026, 11, 22), None),  # noqa: DTZ001
    ("azure", "acme-direct", "openai", "gpt-4o", None, None),
    ("azure", "typo", "azure", "gpt-5o", None, None),
]


NO_REPRICINGS = """create table staging.stg_decisions__repricings (
    repricing_id varchar, from_at timestamp, to_at timestamp, as_known_at timestamp,
    price_key varchar, is_undone boolean, applied_at timestamp, applied_by varchar)"""

# What the sources' own contracts say of a unit, as int_prices__contract_rates has it.
CONTRACT_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("source_instance", "source", "rate_name")),
        *((name, pa.string()) for name in ("service_type", "unit", "currency_code")),
        ("rate_amount", pa.decimal128(38, 15)),
        ("is_own_account", pa.bool_()),
        ("is_adjustment", pa.bool_()),
        *((name, pa.string()) for name in ("edition", "account_region")),
        ("valid_from_on", pa.date32()),
        ("valid_to_on", pa.date32()),
    ]
)

EVENT_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("usage_key", "source_instance", "provider")),
        *((name, pa.string()) for name in ("raw_key_alias", "raw_key_hash")),
        *((name, pa.string()) for name in ("model_requested", "model_served", "service_tier")),
        *((name, pa.string()) for name in ("region", "unit")),
        *((f"{side}_scope_number", pa.int32()) for side in ("buy", "sell")),
        ("status", pa.string()),
        ("occurred_at", pa.timestamp("us")),
        ("usage_on", pa.date32()),
        ("is_informational", pa.bool_()),
        ("is_gateway_cache_hit", pa.bool_()),
        *((f"{bucket}_tokens", pa.int64()) for bucket in TOKEN_BUCKETS),
        *((f"total_{name}", pa.int64()) for name in ("input_tokens", "output_tokens", "tokens")),
        ("quantity", pa.decimal128(38, 15)),
        ("reported_cost_usd", pa.decimal128(38, 15)),
    ]
)


# An organisation without rules of its own: a test that has some fills these tables.
_ORGANISATION = """
create table staging.stg_config__price_rules (
    rule_id varchar, side varchar, rule_kind varchar, scope varchar, scope_key varchar,
    feature_key varchar, provider varchar, model_name varchar, meter varchar, service_tier varchar,
    priority bigint, rate_usd_per_unit decimal(18, 15), factor_ratio decimal(9, 6),
    amount_usd decimal(38, 15), is_on_previous boolean, valid_from_at timestamp,
    valid_to_at timestamp);
create table staging.stg_config__contract_sources (contract_id varchar, source_instance varchar);
create table intermediate.int_org__identity_matches (
    identity_key varchar, entity_key varchar, customer_key varchar, user_key varchar,
    agent_key varchar, application_key varchar, feature_key varchar, attributed_by varchar,
    customer_attributed_by varchar);
create table intermediate.int_org__identities (identity_key varchar, source_instance varchar);
create table intermediate.int_org__nodes (entity_key varchar, tree varchar, entity_type varchar);
create table intermediate.int_org__expanded (
    entity_key varchar, ancestor_key varchar, tree varchar, depth integer,
    valid_from_at timestamp, valid_to_at timestamp);
"""

Row = dict[str, object]


def rows_of(warehouse: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    cursor = warehouse.execute(query)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def make_upstream(
    connection: duckdb.DuckDBPyConnection,
    events: Sequence[Row],
    names: Sequence[tuple[str, str]],
    *,
    contract_rates: Sequence[Row] = (),
    approved: Sequence[str] = (),
) -> None:
    """The tables that other rooms build, as this test needs them; `approved` prices are let in."""
    connection.execute("create schema staging")
    connection.execute("create schema intermediate")
    connection.execute(
        """create table staging.stg_config__sources as select * from (values
            ('trusting', 'trust_reported', null::varchar, null::varchar),
            ('repricing', 'reprice', null, null)
        ) as given (source_instance, cost_policy, covered_by, covered_keys_json)"""
    )
    connection.execute(NO_REPRICINGS)
    connection.execute("""create table staging.stg_decisions__price_approvals (
            approval_id varchar, approved_by varchar, approved_at timestamp)""")
    for item_id in approved:
        connection.execute(
            "insert into staging.stg_decisions__price_approvals values (?, null, null)", [item_id]
        )
    connection.execute(
        """create table intermediate.int_prices__aliases (
            provider varchar, model_raw varchar, target_provider varchar, target_model varchar,
            valid_from_at timestamp, valid_to_at timestamp)"""
    )
    connection.executemany(
        "insert into intermediate.int_prices__aliases values (?, ?, ?, ?, ?, ?)", ALIASES
    )
    connection.execute(_ORGANISATION)
    rates = pa.Table.from_pylist(list(contract_rates), schema=CONTRACT_SCHEMA)
    connection.register("rates", rates)
    connection.execute(
        "create table intermediate.int_prices__contract_rates as select * from rates"
    )
    connection.execute(
        """create table staging.stg_config__fx_rates as select
            'CHF' as currency_code, cast(1.10 as decimal(18, 9)) as usd_per_unit,
            date '2026-11-01' as valid_from_on, date '2026-11-21' as valid_to_on"""
    )
    usage_events = pa.Table.from_pylist(events, schema=EVENT_SCHEMA)
    connection.register("usage_events", usage_events)
    connection.execute(
        f"""create table intermediate.int_usage__attributed as
        select *, {MODEL_KEY} as model_key from usage_events"""
    )
    seen = pa.Table.from_pylist(
        [{"provider": provider, "model_served": name} for provider, name in names],
        schema=pa.schema([(c, pa.string()) for c in MODEL_COLUMNS]),
    )
    connection.register("seen", seen)
    connection.execute(
        f"""create table intermediate.int_usage__models_seen as
        select {MODEL_KEY} as model_key, * from (
            select * from seen union select {", ".join(MODEL_COLUMNS)} from usage_events
        ) as named"""
    )


def event(usage_key: str, usage: Usage, **overrides: object) -> dict[str, object]:
    """One attributed act of a repriced source on gpt-4o, except for what is overridden."""
    output = usage.output + usage.reasoning + usage.audio_output + usage.image_output
    given: dict[str, object] = {
        "usage_key": usage_key,
        "source_instance": "repricing",
        "provider": "openai",
        "model_served": "gpt-4o",
        "status": "ok",
        "occurred_at": OCCURRED_AT,
        "usage_on": OCCURRED_AT.date(),
        "buy_scope_number": 0,
        "sell_scope_number": 0,
        "is_informational": False,
        "is_gateway_cache_hit": False,
        "total_input_tokens": usage.total_input_tokens,
        "total_output_tokens": output,
        "total_tokens": usage.total_input_tokens + output,
    }
    given |= {f"{bucket}_tokens": tokens for bucket, tokens in asdict(usage).items()}
    return given | overrides
