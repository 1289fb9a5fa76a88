"""A model price file fetched, hashed, judged and appended to `raw_price_catalog`, once a content.

A row of `prices` is one rate of one model under one condition, as one snapshot of the file states
it. No key is needed. The file changes several times a day and has no effective dates: a change is
dated by its first observation, which dbt derives from the snapshots. History is never restated:
rows are appended, never edited. Without a URL the bundled seed is read: a first run works offline.
A file that the guards refuse leaves one row that says why, and prices stay what they were.
"""

import functools
import gzip
import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import dlt
import pyarrow as pa
from dlt.extract import DltResource
from dlt.sources.helpers import requests

from price_catalog.catalogues import BASE, Catalogue
from price_catalog.guards import Past, decide
from price_catalog.landing import DESCRIPTIONS, SCHEMAS, Snapshot, confirmed_row, table_of
from price_catalog.opinions import opinions_resource
from price_catalog.parse import PriceFileError
from price_catalog.unit_rates import unit_rates_resource

SEED_PATH = Path(__file__).parent / "seed" / "model_prices.json.gz"
SEED_URL = "seed:model_prices.json.gz"
MAX_BYTES = 64 * 1024 * 1024
_TIMEOUT_SECONDS = (10, 60)


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


_NO_PAST = Past()


@dlt.source(name="price_catalog", max_table_nesting=0)
def price_catalog_source(
    *,
    url: str | None,
    observed_at: datetime,
    past: Past = _NO_PAST,
    kept_in: Path | None = None,
    catalogue: Catalogue = BASE,
) -> list[DltResource]:
    """Model prices of one fetch of a catalogue; nothing of what has landed before.

    The base brings the bundled rate cards and second opinion; what fills its gaps (and has no seed)
    comes in a load of its own. `past` is what the guards compare with (past.py reads it). A file
    that is taken is kept as it came under its hash in `kept_in`.
    """
    if observed_at.tzinfo is None:
        raise ValueError("observed_at needs a zone")
    if catalogue is not BASE and not url:
        raise ValueError(f"{catalogue.url_variable} is not set, and {catalogue.name} has no seed")

    @functools.cache
    def content() -> tuple[str, bytes]:
        return fetch(url)

    @functools.cache
    def snapshot() -> Snapshot:
        source_url, body = content()
        decision = decide(body, past=past, read=catalogue.read)
        found = Snapshot(catalogue.name, _sha256(body), source_url, observed_at, decision)
        if kept_in and decision.catalogue is not None:
            _keep(body, kept_in / f"{found.snapshot_id}.json.gz")
        return found

    def resource(name: str) -> DltResource:
        def rows() -> Iterator[pa.Table]:
            state = _state_of(catalogue)
            snapshot_id = _sha256(content()[1])
            if state.get("snapshot_id") == snapshot_id:
                if state.pop("refused_id", None) and name == "snapshots":
                    yield confirmed_row(
                        catalogue=catalogue.name,
                        snapshot_id=snapshot_id,
                        url=content()[0],
                        observed_at=observed_at,
                    )
                return
            is_taken = snapshot().decision.catalogue is not None
            if not is_taken and state.get("refused_id") == snapshot_id:
                return
            if is_taken or name == "snapshots":
                yield table_of(name, snapshot())
            if is_taken:
                state["snapshot_id"] = snapshot_id
                state.pop("refused_id", None)
            else:
                state["refused_id"] = snapshot_id

        rows.__doc__ = DESCRIPTIONS[name]
        return dlt.resource(
            rows,
            name=name,
            write_disposition="append",
            schema_contract={"tables": "evolve", "columns": "evolve", "data_type": "freeze"},
        )

    resources = [resource(name) for name in SCHEMAS]
    if catalogue is not BASE:
        return resources
    return [
        *resources,
        unit_rates_resource(observed_at=observed_at),
        opinions_resource(observed_at=observed_at),
    ]


def _state_of(catalogue: Catalogue) -> dict[str, Any]:
    """What a table remembers of a catalogue; the base's was there before there were others."""
    state = dlt.current.resource_state()
    if catalogue is BASE:
        return state
    remembered: dict[str, Any] = state.setdefault("gap_fillers", {})
    return remembered.setdefault(catalogue.name, {})  # type: ignore[no-any-return]


def _keep(content: bytes, path: Path) -> None:
    """Writes the file whole or not at all; equal bytes give equal files."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".part")
    fresh.write_bytes(gzip.compress(content, mtime=0))
    fresh.replace(path)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
