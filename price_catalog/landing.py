"""What a decision on a price file leaves in `raw_price_catalog`, table by table.

Belongs here: declared schemas and rows. Does not: fetching (refresh.py), deciding (guards.py).
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from ingestion.contracts import REJECTED_SCHEMA
from price_catalog.guards import Decision, price_key, rate_key
from price_catalog.match import PROVIDER_ALIASES, canonical_provider
from price_catalog.rows import ParsedCatalogue

Row = dict[str, object]
_RATE = pa.decimal128(18, 15)
_SNAPSHOT_FIELDS = [
    pa.field("snapshot_id", pa.string(), nullable=False),
    pa.field("observed_at", pa.timestamp("us", tz="UTC"), nullable=False),
]
_MODEL_FIELDS = [
    pa.field("provider", pa.string(), nullable=False),
    pa.field("model", pa.string(), nullable=False),
    pa.field("catalogue_key", pa.string(), nullable=False),
]
_CONDITION_FIELDS = [
    pa.field("meter", pa.string(), nullable=False),
    pa.field("unit", pa.string(), nullable=False),
    pa.field("service_tier", pa.string(), nullable=False),
    pa.field("min_input_tokens", pa.int64()),
    pa.field("variant", pa.string()),
    pa.field("week_minute_from", pa.int64()),
    pa.field("week_minute_to", pa.int64()),
]
SCHEMAS: dict[str, pa.Schema] = {
    "snapshots": pa.schema(
        [
            *_SNAPSHOT_FIELDS,
            pa.field("catalogue", pa.string(), nullable=False),
            pa.field("source_url", pa.string(), nullable=False),
            pa.field("fetched_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("status", pa.string(), nullable=False),
            pa.field("reason", pa.string()),
            pa.field("item_id", pa.string()),
            pa.field("models_count", pa.int64()),
            pa.field("prices_count", pa.int64()),
            pa.field("rejected_count", pa.int64()),
            pa.field("unparsed_keys_json", pa.string()),
        ]
    ),
    "prices": pa.schema(
        [
            *_SNAPSHOT_FIELDS,
            *_MODEL_FIELDS,
            *_CONDITION_FIELDS,
            pa.field("rate_key", pa.string(), nullable=False),
            pa.field("rate_usd_per_unit", _RATE, nullable=False),
        ]
    ),
    "models": pa.schema(
        [
            *_SNAPSHOT_FIELDS,
            *_MODEL_FIELDS,
            pa.field("mode", pa.string()),
            pa.field("deprecation_on", pa.date32()),
            pa.field("rates_hash", pa.string(), nullable=False),
        ]
    ),
    "verdicts": pa.schema(
        [
            *_SNAPSHOT_FIELDS,
            *_MODEL_FIELDS,
            *_CONDITION_FIELDS,
            pa.field("rate_key", pa.string(), nullable=False),
            pa.field("item_id", pa.string(), nullable=False),
            pa.field("verdict", pa.string(), nullable=False),
            pa.field("reason", pa.string(), nullable=False),
            pa.field("is_used", pa.bool_(), nullable=False),
            pa.field("old_rate_usd_per_unit", _RATE),
            pa.field("new_rate_usd_per_unit", _RATE, nullable=False),
        ]
    ),
    "provider_names": pa.schema(
        [
            *_SNAPSHOT_FIELDS,
            pa.field("provider_raw", pa.string(), nullable=False),
            pa.field("provider", pa.string(), nullable=False),
        ]
    ),
    "unparsed_keys": pa.schema(
        [
            *_SNAPSHOT_FIELDS,
            pa.field("price_key", pa.string(), nullable=False),
            pa.field("models_count", pa.int64(), nullable=False),
        ]
    ),
    "prices__rejected": REJECTED_SCHEMA,
}
DESCRIPTIONS = {
    "snapshots": "One content of a price file, named by its SHA-256: accepted, or refused and why.",
    "prices": "One rate of one model under one condition, as one snapshot states it.",
    "models": "One catalogued model of a snapshot, with a hash that changes when a rate does.",
    "verdicts": "One rate of a snapshot that is flagged, or held back until a person accepts it.",
    "provider_names": "Every accepted spelling of a provider and its canonical name.",
    "unparsed_keys": "Price keys that were not understood, and how many models use each.",
    "prices__rejected": "Rates and entries of the file that were refused, with the reason.",
}


@dataclass(frozen=True)
class Snapshot:
    """One content of a price file, under the hash that names it, and what becomes of it."""

    catalogue: str
    snapshot_id: str
    source_url: str
    observed_at: datetime
    decision: Decision


def table_of(name: str, snapshot: Snapshot) -> pa.Table:
    """The rows that a snapshot adds to a table."""
    parsed = snapshot.decision.catalogue
    records = [_fetch_row(snapshot)] if name == "snapshots" else []
    if parsed is not None and name != "snapshots":
        records = _BUILDERS[name](snapshot, parsed)
    constants = {"snapshot_id": snapshot.snapshot_id, "observed_at": snapshot.observed_at}
    # from_pylist takes the declared columns only.
    return pa.Table.from_pylist([row | constants for row in records], schema=SCHEMAS[name])


def confirmed_row(*, catalogue: str, snapshot_id: str, url: str, observed_at: datetime) -> pa.Table:
    """The row that says that a content which landed before is what stands at the source again."""
    row = {
        "snapshot_id": snapshot_id,
        "observed_at": observed_at,
        "fetched_at": observed_at,
        "catalogue": catalogue,
        "source_url": url,
        "status": "confirmed",
    }
    return pa.Table.from_pylist([row], schema=SCHEMAS["snapshots"])


def _fetch_row(snapshot: Snapshot) -> Row:
    decision = snapshot.decision
    parsed = decision.catalogue
    row: Row = {
        "catalogue": snapshot.catalogue,
        "source_url": snapshot.source_url,
        "fetched_at": snapshot.observed_at,
        "status": "refused" if parsed is None else "accepted",
        "reason": decision.refused,
        "item_id": decision.item_id,
    }
    if parsed is not None:
        row |= {
            "models_count": len(parsed.models),
            "prices_count": len(parsed.prices),
            "rejected_count": len(parsed.rejected),
            "unparsed_keys_json": json.dumps(parsed.unparsed_keys),
        }
    return row


def _price_rows(snapshot: Snapshot, parsed: ParsedCatalogue) -> list[Row]:
    return [vars(row) | {"rate_key": rate_key(row)} for row in parsed.prices]


def _model_rows(snapshot: Snapshot, parsed: ParsedCatalogue) -> list[Row]:
    return [dict(vars(row)) for row in parsed.models]


def _verdict_rows(snapshot: Snapshot, parsed: ParsedCatalogue) -> list[Row]:
    return [
        vars(judged.row)
        | vars(judged)
        | {
            "price_key": price_key(judged.row),
            "old_rate_usd_per_unit": judged.old_rate,
            "new_rate_usd_per_unit": judged.row.rate_usd_per_unit,
        }
        for judged in snapshot.decision.judged
    ]


def _provider_rows(snapshot: Snapshot, parsed: ParsedCatalogue) -> list[Row]:
    names = set(PROVIDER_ALIASES)
    names.update(parsed.provider_names)
    names.update(row.provider for row in parsed.models)
    return [{"provider_raw": name, "provider": canonical_provider(name)} for name in sorted(names)]


def _unparsed_rows(snapshot: Snapshot, parsed: ParsedCatalogue) -> list[Row]:
    counts = parsed.unparsed_keys
    return [{"price_key": key, "models_count": count} for key, count in counts.items()]


def _rejected_rows(snapshot: Snapshot, parsed: ParsedCatalogue) -> list[Row]:
    return [
        {
            "source_instance": "price_catalog",
            "source_locator": rejected.catalogue_key,
            "record_sha256": hashlib.sha256(
                f"{rejected.catalogue_key}|{rejected.price_key}".encode()
            ).hexdigest(),
            "column_name": rejected.price_key,
            "reason": rejected.reason,
            "extracted_at": snapshot.observed_at,
        }
        for rejected in parsed.rejected
    ]


_BUILDERS: dict[str, Callable[[Snapshot, ParsedCatalogue], list[Row]]] = {
    "prices": _price_rows,
    "models": _model_rows,
    "verdicts": _verdict_rows,
    "provider_names": _provider_rows,
    "unparsed_keys": _unparsed_rows,
    "prices__rejected": _rejected_rows,
}
