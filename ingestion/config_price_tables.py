"""The rules of `config/prices.yaml` as rows: one a rule, meter and service tier it speaks of.

Belongs here: what a rule looks like to dbt. Which one applies is decided there.
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ingestion.config_loader import Config
from ingestion.config_prices import Override, PriceRule, SellRule, provider_of, slots_of
from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, exact

Rows = Iterator[tuple[Any, ...]]
_RATE = pa.decimal128(18, 15)
_FACTOR = pa.decimal128(9, 6)

PRICE_COLUMNS: dict[str, tuple[tuple[str, pa.DataType], ...]] = {
    "contract_sources": (("contract_id", TEXT), ("source_instance", TEXT)),
    "price_rules": (
        ("rule_id", TEXT),
        ("side", TEXT),
        ("rule_kind", TEXT),
        ("scope", TEXT),
        ("scope_key", TEXT),
        ("feature_key", TEXT),
        ("provider", TEXT),
        ("model_name", TEXT),
        ("meter", TEXT),
        ("service_tier", TEXT),
        ("priority", INTEGER),
        ("rate_usd_per_unit", _RATE),
        ("factor_ratio", _FACTOR),
        ("amount_usd", MONEY),
        ("is_on_previous", pa.bool_()),
        ("valid_from_at", UTC_TIME),
        ("valid_to_at", UTC_TIME),
    ),
    "what_if_models": (
        ("scenario", TEXT),
        ("provider", TEXT),
        ("model_name", TEXT),
        ("target_provider", TEXT),
        ("target_model", TEXT),
    ),
}


def contract_sources(config: Config) -> Rows:
    """One row a contract and source it covers; a contract that names none covers all."""
    instances = [source.id for source in config.sources]
    for contract in config.contracts:
        for name in contract.sources or instances:
            yield contract.id, name


def what_if_models(config: Config) -> Rows:
    """One row a question about another model."""
    for asked in config.what_if:
        yield asked.id, asked.provider, asked.model, asked.target_provider, asked.target_model


def price_rules(config: Config) -> Rows:
    """One row a rule, meter (null: all) and service tier (null: all) of either side."""
    contracts = {contract.id: contract for contract in config.contracts}
    for side, rules in (("buy", config.overrides), ("sell", config.selling)):
        for rule in rules:
            for meter in slots_of(rule):
                for tier in rule.applies_to or (None,):
                    yield (
                        rule.id,
                        side,
                        rule.kind,
                        *_scope(rule),
                        rule.feature,
                        provider_of(rule, contracts),
                        rule.model,
                        meter,
                        tier,
                        rule.priority,
                        exact(rule.rate_usd_per_unit),
                        exact(rule.factor, places=6),
                        exact(rule.usd),
                        isinstance(rule, Override) and rule.base == "previous",
                        rule.valid_from_at,
                        rule.valid_to_at,
                    )


def _scope(rule: Override | SellRule | PriceRule) -> tuple[str, str | None]:
    for scope in ("customer", "contract", "entity"):
        name = getattr(rule, scope, None)
        if name is not None:
            return scope, name
    return "installation", None
