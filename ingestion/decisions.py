"""What people decided (prices and identities accepted, months closed, windows
repriced) as `raw_decisions.*`.

Decisions live in the operational store; models take them as inputs, like config/. A pass appends
them whole, as one load, when they are not what was appended last; staging reads the newest complete
one. The totals of a closed month never change and can be many: each is appended once.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pyarrow as pa
from dlt.extract import DltResource

from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME
from ingestion.pipeline import pipeline_for, run_source, warehouse_path

Row = Mapping[str, Any]

# How a closed month's totals are cut, and what is counted; the models of closing name the same.
TOTAL_DIMENSIONS = (
    "line_kind",
    "corrected_period",
    "entity_key",
    "customer_key",
    "feature_key",
    "source_instance",
    "provider",
    "model_id",
)
TOTAL_AMOUNTS = (
    "list_cost_usd",
    "billed_cost_usd",
    "effective_cost_usd",
    "estimated_cost_usd",
    "charged_usd",
)
TOTAL_COUNTS = ("requests_count", "total_tokens", "unpriced_lines_count")

SCHEMAS = {
    "snapshots": pa.schema([("content_sha256", TEXT)]),
    "price_approvals": pa.schema(
        [("approval_id", TEXT), ("approved_by", TEXT), ("approved_at", UTC_TIME)]
    ),
    "identity_acceptances": pa.schema(
        [
            ("acceptance_id", TEXT),
            ("dimension", TEXT),
            ("source_instance", TEXT),
            ("field", TEXT),
            ("field_value", TEXT),
            ("target_key", TEXT),
            ("accepted_by", TEXT),
            ("accepted_at", UTC_TIME),
        ]
    ),
    "repricings": pa.schema(
        [
            ("repricing_id", TEXT),
            ("from_at", UTC_TIME),
            ("to_at", UTC_TIME),
            ("as_known_at", UTC_TIME),
            ("price_key", TEXT),
            ("is_undone", pa.bool_()),
            ("applied_at", UTC_TIME),
            ("applied_by", TEXT),
        ]
    ),
    "period_closes": pa.schema(
        [
            ("period", TEXT),
            ("closed_at", UTC_TIME),
            ("snapshot_id", INTEGER),
            ("closed_by", TEXT),
            ("totals_sha256", TEXT),
        ]
    ),
    "closed_totals": pa.schema(
        [
            ("period", TEXT),
            ("totals_sha256", TEXT),
            *((name, TEXT) for name in TOTAL_DIMENSIONS),
            *((name, MONEY) for name in TOTAL_AMOUNTS),
            *((name, INTEGER) for name in TOTAL_COUNTS),
        ]
    ),
}

DESCRIPTIONS = {
    "snapshots": "One reading of all decisions, under the digest of its content.",
    "price_approvals": "A price change that was held back and accepted by a person.",
    "identity_acceptances": "An identifier whose suggested node was accepted by a person.",
    "repricings": "A window whose usage is priced as its rates are known since; undone by a mark.",
    "period_closes": "A closed month, by whom and from which snapshot.",
    "closed_totals": "One line of a closed month's totals, as it was when the month closed.",
}


@dataclass(frozen=True)
class Landed:
    """What the warehouse knows of decisions: the newest content, and the totals it has."""

    content_sha256: str | None
    totals_sha256: frozenset[str]


def content_sha256(tables: Mapping[str, Sequence[Row]]) -> str:
    """One digest of all decisions but the totals, which their closes name by their own."""
    text = json.dumps(
        {name: [dict(row) for row in tables[name]] for name in sorted(tables)},
        sort_keys=True,
        default=str,
    )
    return hashlib.sha256(text.encode()).hexdigest()


def landed(home: Path) -> Landed:
    """What complete loads brought; the tables must be there (declare_tables)."""
    completed = (
        "join raw_decisions._dlt_loads as loads"
        " on rows._dlt_load_id = loads.load_id and loads.status = 0"
    )
    with duckdb.connect(str(warehouse_path(home)), read_only=True) as connection:
        newest = connection.execute(
            f"select content_sha256 from raw_decisions.snapshots as rows {completed}"
            " order by rows._dlt_load_id desc limit 1"
        ).fetchone()
        totals = connection.execute(
            f"select totals_sha256 from raw_decisions.closed_totals as rows {completed}"
            " group by totals_sha256"
        ).fetchall()
    return Landed(newest[0] if newest else None, frozenset(sha for (sha,) in totals))


@dlt.source(name="decisions", max_table_nesting=0)
def decisions_source(tables: Mapping[str, Sequence[Row]]) -> list[DltResource]:
    """One snapshot of all decisions, under the digest of its content."""

    def resource(name: str) -> DltResource:
        def rows() -> Iterator[pa.Table]:
            if tables.get(name):
                yield pa.Table.from_pylist([dict(row) for row in tables[name]], SCHEMAS[name])

        rows.__doc__ = DESCRIPTIONS[name]
        return dlt.resource(rows, name=name, write_disposition="append")

    return [resource(name) for name in SCHEMAS]


def append_decisions(home: Path, tables: Mapping[str, Sequence[Row]]) -> None:
    """Appends one snapshot (all tables but the totals) and totals new to us."""
    whole = {name: rows for name, rows in tables.items() if name != "closed_totals"}
    snapshot = {"snapshots": [{"content_sha256": content_sha256(whole)}]}
    pipeline = pipeline_for("decisions", instance=None, home=home)
    run_source(pipeline, decisions_source({**tables, **snapshot}))
