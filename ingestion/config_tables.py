"""The checked configuration as rows of `raw_config`: one load a version, all or nothing (DESIGN
D22).

A row is one declaration. Every table of a load carries the same `config_version`; staging reads
the newest load that dlt completed. An unchanged configuration loads nothing, unless the tables
themselves have changed. Run alone:
`pipeline_for("config", instance=None, home=…).run(config_source(load_config(path),
extracted_at=…))`.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from ingestion.config_budget_tables import BUDGET_COLUMNS, BUDGET_ROWS
from ingestion.config_checks import values_of
from ingestion.config_loader import Config
from ingestion.config_money_tables import MONEY_COLUMNS, MONEY_ROWS
from ingestion.config_org_tables import ORG_COLUMNS, ORG_ROWS
from ingestion.config_price_tables import (
    PRICE_COLUMNS,
    contract_sources,
    price_rules,
    what_if_models,
)
from ingestion.config_schema import Identity
from ingestion.config_versions import version_of
from ingestion.config_wallet_tables import WALLET_COLUMNS, WALLET_ROWS
from ingestion.contracts import INTEGER, TEXT, UTC_TIME, exact

Rows = Iterator[tuple[Any, ...]]

# table -> its columns; the rows of each come from the function of the same name below.
_COLUMNS: dict[str, tuple[tuple[str, pa.DataType], ...]] = {
    "sources": (
        ("source_instance", TEXT),
        ("system", TEXT),
        ("is_enabled", pa.bool_()),
        ("evidence_layer", TEXT),
        ("cost_policy", TEXT),
        ("covered_by", TEXT),
        ("covered_keys_json", TEXT),
        ("stale_after_hours", INTEGER),
        ("cost_tolerance_ratio", pa.decimal128(9, 6)),
        ("entity_from_json", TEXT),
        ("customer_from_json", TEXT),
        ("default_entity_key", TEXT),
        ("default_customer_key", TEXT),
        ("auto_create", pa.bool_()),
    ),
    "source_fields": (
        ("source_instance", TEXT),
        ("dimension", TEXT),
        ("field", TEXT),
        ("position", INTEGER),
    ),
    "owned_providers": (("source_instance", TEXT), ("provider", TEXT)),
    "evidence_order": (("position", INTEGER), ("name", TEXT)),
    **ORG_COLUMNS,
    "identities": (
        ("rule_number", INTEGER),
        ("dimension", TEXT),
        ("source_instance", TEXT),
        ("field", TEXT),
        ("match_kind", TEXT),
        ("match_value", TEXT),
        ("target_key", TEXT),
    ),
    **BUDGET_COLUMNS,
    "model_aliases": (
        ("provider", TEXT),
        ("model_raw", TEXT),
        ("target_provider", TEXT),
        ("target_model", TEXT),
        ("valid_from_at", UTC_TIME),
        ("valid_to_at", UTC_TIME),
    ),
    **PRICE_COLUMNS,
    **MONEY_COLUMNS,
    **WALLET_COLUMNS,
    "versions": (("attribution_version", TEXT), ("pricing_version", TEXT)),
}
TABLES = tuple(_COLUMNS)
# An upgrade that adds columns loads every table once more, so that staging finds them.
_SHAPE = version_of([[name, [column for column, _ in of]] for name, of in _COLUMNS.items()])


@dlt.source(name="config", max_table_nesting=0)
def config_source(config: Config, *, extracted_at: datetime) -> list[DltResource]:
    """Every declaration, appended as one load whenever any of them changed."""
    return [_resource(name, config, extracted_at) for name in TABLES]


def config_tables(config: Config, *, extracted_at: datetime) -> dict[str, pa.Table]:
    """Each table of `raw_config` as Arrow, with the configuration's version in every row."""
    return {name: _table(name, config, extracted_at) for name in TABLES}


def _resource(name: str, config: Config, extracted_at: datetime) -> DltResource:
    def rows() -> Iterator[Any]:
        state = dlt.current.resource_state()
        loaded = f"{config.versions.config_version} {_SHAPE}"
        if state.get("loaded") == loaded:
            return
        table = _table(name, config, extracted_at)
        # An empty section yields its table too: staging reads every one.
        yield table
        state["loaded"] = loaded

    rows.__doc__ = _ROWS[name].__doc__
    return dlt.resource(rows, name=name, write_disposition="append")


def _table(name: str, config: Config, extracted_at: datetime) -> pa.Table:
    stamp = (config.versions.config_version, extracted_at)
    columns = (*_COLUMNS[name], ("config_version", TEXT), ("extracted_at", UTC_TIME))
    schema = pa.schema([pa.field(column, kind) for column, kind in columns])
    rows = [(*row, *stamp) for row in _ROWS[name](config)]
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [pa.array(v, field.type) for v, field in zip(values, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def _sources(config: Config) -> Rows:
    """One row a source instance: is it read, how is its cost taken, what attributes it."""
    for s in config.sources:
        yield (
            s.id,
            s.system,
            s.enabled,
            s.evidence_layer,
            s.cost_policy,
            s.covered_by,
            json.dumps(s.covered_keys) if s.covered_keys else None,
            s.stale_after_hours,
            exact(s.cost_tolerance, places=6),
            json.dumps(s.entity_from),
            json.dumps(s.customer_from),
            s.default_entity,
            s.default_customer,
            s.auto_create,
        )


def _source_fields(config: Config) -> Rows:
    """One row a field that a source is attributed by, in the order they are tried."""
    for source in config.sources:
        fields = {
            "owner": source.entity_from,
            "customer": source.customer_from,
            "feature": ("raw_feature",),
        }
        for dimension, names in fields.items():
            for position, name in enumerate(names):
                yield source.id, dimension, name, position


def _owned_providers(config: Config) -> Rows:
    """One row a provider whose bill a source is; no provider has two."""
    for source in config.sources:
        for provider in source.owns:
            yield source.id, provider


def _evidence_order(config: Config) -> Rows:
    """One row an evidence layer or source, in the order in which they carry a request's cost."""
    yield from enumerate(config.evidence_order)


def _identities(config: Config) -> Rows:
    """One row a rule and value, numbered as written; match_value of `same_id` is a prefix."""
    number = 0
    for rule in config.identities:
        for kind, match_value in _matches(rule):
            number += 1
            yield number, rule.dimension, rule.source, rule.field, kind, match_value, rule.target


def _matches(rule: Identity) -> Iterator[tuple[str, str | None]]:
    if rule.pattern is not None:
        yield "pattern", rule.pattern
    elif rule.match is not None:
        yield rule.match, (rule.prefix or "") if rule.match == "same_id" else None
    for value in values_of(rule):
        yield "value", value


def _model_aliases(config: Config) -> Rows:
    """One row a model name as a source writes it, and the catalogue's name for it."""
    for a in config.model_aliases:
        yield a.provider, a.model, a.target_provider, a.target_model, a.valid_from_at, a.valid_to_at


def _versions(config: Config) -> Rows:
    """One row a load: what changed is told from the hashes of the load before."""
    yield config.versions.attribution_version, config.versions.pricing_version


_ROWS: dict[str, Callable[[Config], Rows]] = {
    "sources": _sources,
    "source_fields": _source_fields,
    "owned_providers": _owned_providers,
    "evidence_order": _evidence_order,
    **ORG_ROWS,
    "identities": _identities,
    **BUDGET_ROWS,
    "model_aliases": _model_aliases,
    "contract_sources": contract_sources,
    "price_rules": price_rules,
    "what_if_models": what_if_models,
    **MONEY_ROWS,
    **WALLET_ROWS,
    "versions": _versions,
}
