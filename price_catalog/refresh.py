"""The model price file fetched, hashed, parsed and appended to `raw_price_catalog`, once a content.

A row of `prices` is one rate of one model under one condition, as one snapshot of the file states
it. No key is needed. The file changes several times a day and has no effective dates: a change is
dated by its first observation, which dbt derives from the snapshots. History is never restated:
rows are appended, never edited. Without a URL the bundled seed is read: a first run works offline.
"""

import functools
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import dlt
import pyarrow as pa
from dlt.extract import DltResource
from dlt.sources.helpers import requests

from ingestion.contracts import REJECTED_SCHEMA
from price_catalog.match import PROVIDER_ALIASES, canonical_provider
from price_catalog.parse import ParsedCatalogue, PriceFileError, parse
from price_catalog.unit_rates import unit_rates_resource

SEED_PATH = Path(__file__).parent / "seed" / "model_prices.json.gz"
SEED_URL = "seed:model_prices.json.gz"
MAX_BYTES = 64 * 1024 * 1024
# A file that lost more than a twentieth of its models is taken for truncated (reliability F32).
SMALLEST_SHARE_OF_LAST = (19, 20)
_TIMEOUT_SECONDS = (10, 60)

_SNAPSHOT_FIELDS = [
    pa.field("snapshot_id", pa.string(), nullable=False),
    pa.field("observed_at", pa.timestamp("us", tz="UTC"), nullable=False),
]
_MODEL_FIELDS = [
    pa.field("provider", pa.string(), nullable=False),
    pa.field("model", pa.string(), nullable=False),
    pa.field("catalogue_key", pa.string(), nullable=False),
]
SCHEMAS: dict[str, pa.Schema] = {
    "snapshots": pa.schema(
        [
            *_SNAPSHOT_FIELDS,
            pa.field("source_url", pa.string(), nullable=False),
            pa.field("fetched_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("models_count", pa.int64(), nullable=False),
            pa.field("prices_count", pa.int64(), nullable=False),
            pa.field("rejected_count", pa.int64(), nullable=False),
            pa.field("status", pa.string(), nullable=False),
            pa.field("unparsed_keys_json", pa.string(), nullable=False),
        ]
    ),
    "prices": pa.schema(
        [
            *_SNAPSHOT_FIELDS,
            *_MODEL_FIELDS,
            pa.field("meter", pa.string(), nullable=False),
            pa.field("unit", pa.string(), nullable=False),
            pa.field("service_tier", pa.string(), nullable=False),
            pa.field("min_input_tokens", pa.int64()),
            pa.field("rate_usd_per_unit", pa.decimal128(18, 15), nullable=False),
            pa.field("variant", pa.string()),
            pa.field("week_minute_from", pa.int64()),
            pa.field("week_minute_to", pa.int64()),
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


@dataclass(frozen=True)
class Snapshot:
    """One content of the price file, parsed, under the hash that names it."""

    snapshot_id: str
    source_url: str
    observed_at: datetime
    catalogue: ParsedCatalogue


def read_seed() -> bytes:
    """The bundled price file, uncompressed."""
    return gzip.decompress(SEED_PATH.read_bytes())


def fetch(url: str | None) -> tuple[str, bytes]:
    """Where the price file came from and its bytes: an http, https or file URL, else the seed."""
    if not url:
        return SEED_URL, read_seed()
    parts = urlsplit(url)
    if parts.scheme == "file":
        path = Path(url2pathname(parts.path))
        if path.stat().st_size > MAX_BYTES:
            raise PriceFileError(f"the price file is over {MAX_BYTES} bytes")
        return url, path.read_bytes()
    if parts.scheme not in ("http", "https"):
        raise PriceFileError("the price file's URL is neither http, https nor file")
    # Credentials in the URL would end in the snapshots table.
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    with requests.get(url, timeout=_TIMEOUT_SECONDS, stream=True) as response:
        response.raise_for_status()
        content = bytearray()
        for chunk in response.iter_content(chunk_size=1024 * 1024):
            content += chunk
            if len(content) > MAX_BYTES:
                raise PriceFileError(f"the price file is over {MAX_BYTES} bytes")
    return shown, bytes(content)


@dlt.source(name="price_catalog", max_table_nesting=0)
def price_catalog_source(*, url: str | None, observed_at: datetime) -> list[DltResource]:
    """Model prices of one fetch, and the bundled rate cards; nothing of what has landed before."""
    if observed_at.tzinfo is None:
        raise ValueError("observed_at needs a zone")

    @functools.cache
    def content() -> tuple[str, bytes]:
        return fetch(url)

    @functools.cache
    def snapshot() -> Snapshot:
        source_url, body = content()
        return Snapshot(_sha256(body), source_url, observed_at, parse(body))

    builders: dict[str, Callable[[Snapshot], list[dict[str, object]]]] = {
        "snapshots": _snapshot_rows,
        "prices": _price_rows,
        "models": _model_rows,
        "provider_names": _provider_rows,
        "unparsed_keys": _unparsed_rows,
        "prices__rejected": _rejected_rows,
    }

    def resource(name: str) -> DltResource:
        def rows() -> Iterator[pa.Table]:
            state = dlt.current.resource_state()
            if state.get("snapshot_id") == _sha256(content()[1]):
                return
            current = snapshot()
            _refuse_shrunken(current, last_count=state.get("models_count"))
            schema = SCHEMAS[name]
            constants = {"snapshot_id": current.snapshot_id, "observed_at": current.observed_at}
            # from_pylist takes the declared columns only.
            records = [row | constants for row in builders[name](current)]
            yield pa.Table.from_pylist(records, schema=schema)
            state["snapshot_id"] = current.snapshot_id
            state["models_count"] = len(current.catalogue.models)

        rows.__doc__ = _DESCRIPTIONS[name]
        return dlt.resource(
            rows,
            name=name,
            write_disposition="append",
            schema_contract={"tables": "evolve", "columns": "evolve", "data_type": "freeze"},
        )

    return [*(resource(name) for name in builders), unit_rates_resource(observed_at=observed_at)]


_DESCRIPTIONS = {
    "snapshots": "One accepted content of the price file, named by its SHA-256.",
    "prices": "One rate of one model under one condition, as one snapshot states it.",
    "models": "One catalogued model of a snapshot, with a hash that changes when a rate does.",
    "provider_names": "Every accepted spelling of a provider and its canonical name.",
    "unparsed_keys": "Price keys that were not understood, and how many models use each.",
    "prices__rejected": "Rates and entries of the file that were refused, with the reason.",
}


def _refuse_shrunken(snapshot: Snapshot, *, last_count: int | None) -> None:
    share, whole = SMALLEST_SHARE_OF_LAST
    models_count = len(snapshot.catalogue.models)
    if last_count is not None and models_count * whole < last_count * share:
        raise PriceFileError(f"the price file fell from {last_count} models to {models_count}")


def _snapshot_rows(snapshot: Snapshot) -> list[dict[str, object]]:
    catalogue = snapshot.catalogue
    return [
        {
            "source_url": snapshot.source_url,
            "fetched_at": snapshot.observed_at,
            "models_count": len(catalogue.models),
            "prices_count": len(catalogue.prices),
            "rejected_count": len(catalogue.rejected),
            "status": "accepted",
            "unparsed_keys_json": json.dumps(catalogue.unparsed_keys),
        }
    ]


def _price_rows(snapshot: Snapshot) -> list[dict[str, object]]:
    return [vars(row) for row in snapshot.catalogue.prices]


def _model_rows(snapshot: Snapshot) -> list[dict[str, object]]:
    return [vars(row) for row in snapshot.catalogue.models]


def _provider_rows(snapshot: Snapshot) -> list[dict[str, object]]:
    names = set(PROVIDER_ALIASES)
    names.update(snapshot.catalogue.provider_names)
    names.update(row.provider for row in snapshot.catalogue.models)
    return [{"provider_raw": name, "provider": canonical_provider(name)} for name in sorted(names)]


def _unparsed_rows(snapshot: Snapshot) -> list[dict[str, object]]:
    counts = snapshot.catalogue.unparsed_keys
    return [{"price_key": key, "models_count": count} for key, count in counts.items()]


def _rejected_rows(snapshot: Snapshot) -> list[dict[str, object]]:
    return [
        {
            "source_instance": "price_catalog",
            "source_locator": rejected.catalogue_key,
            "record_sha256": _sha256(f"{rejected.catalogue_key}|{rejected.price_key}".encode()),
            "column_name": rejected.price_key,
            "reason": rejected.reason,
            "extracted_at": snapshot.observed_at,
        }
        for rejected in snapshot.catalogue.rejected
    ]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
