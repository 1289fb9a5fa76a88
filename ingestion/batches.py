"""A fetched batch as Arrow tables: the rows that fit, the rows that do not, and the count of both.

Of a rejected row the reason, a hash and a locator are kept (so that it can be fetched again), never
its values: they may hold anything.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import orjson
import pyarrow as pa

from ingestion.contracts import (
    READS_SCHEMA,
    REJECTED_SCHEMA,
    TEXT,
    UTC_TIME,
    Contract,
    build_array,
    build_columns,
    reason_of,
)
from ingestion.http import SourceError

# From so many records on, a column that all of them lack is a lost column, not a few bad rows.
_WHOLE_BATCH_ROWS = 10


@dataclass(frozen=True)
class SetAside:
    """A record that was set aside before it was stored: the column, the reason, and its hash."""

    column_name: str | None
    reason: str
    sha256: str


@dataclass(frozen=True)
class Batch:
    """One fetched batch as three tables: rows that fit, rows that do not, and the count of both."""

    rows: pa.Table
    rejected: pa.Table
    reads: pa.Table

    @property
    def read_count(self) -> int:
        """How many records were read."""
        return self.rows.num_rows + self.rejected.num_rows


def batches_of(
    records: Iterable[tuple[str, Any]],
    *,
    contract: Contract,
    source_instance: str,
    extracted_at: datetime,
    batch_rows: int,
) -> Iterator[Batch]:
    """Batches of at most `batch_rows` from (locator, record) pairs, read lazily.

    The last one may be empty: it still makes the tables exist.
    """
    remaining = iter(records)
    while True:
        batch = split(
            islice(remaining, batch_rows),
            contract=contract,
            source_instance=source_instance,
            extracted_at=extracted_at,
        )
        yield batch
        if batch.read_count < batch_rows:
            return


def split(
    records: Iterable[tuple[str, Any]],
    *,
    contract: Contract,
    source_instance: str,
    extracted_at: datetime,
    window_key: str | None = None,
) -> Batch:
    """Every (locator, record) as a loaded or a rejected row; the record itself is not kept.

    A batch of nothing still counts as read: that a source was asked and had nothing is a fact.
    """
    picked: list[Sequence[Any]] = []
    places: list[str] = []
    rejected: list[tuple[str, str, str | None, str]] = []
    unknown = 0
    for locator, record in records:
        if isinstance(record, SetAside):
            rejected.append((locator, record.sha256, record.column_name, record.reason))
            continue
        if not isinstance(record, dict):
            rejected.append((locator, sha256_of(record), None, "not_an_object"))
            continue
        unknown += len(record.keys() - contract.known_fields)
        picked.append(contract.pick(record))
        places.append(locator)
    read_count = len(picked) + len(rejected)
    first = min([*places[:1], *(place for place, *_ in rejected[:1])], default="nothing new")
    _refuse_lost_column(picked, contract)
    columns = build_columns(picked, contract)
    if columns is None:
        picked, places = _keep_what_fits(picked, places, contract, rejected)
        columns = build_columns(picked, contract)
        if columns is None:
            raise AssertionError(
                f"{contract.resource}: rows that fit one by one do not fit together"
            )
    count = len(picked)
    hashes = [
        hashlib.blake2b(orjson.dumps(row, default=str), digest_size=16).hexdigest()
        for row in picked
    ]
    rows = pa.Table.from_arrays(
        [
            *columns,
            *([pa.array([window_key] * count, TEXT)] if contract.is_windowed else []),
            pa.array([source_instance] * count, TEXT),
            pa.array(places, TEXT),
            pa.array(hashes, TEXT),
            pa.array([extracted_at] * count, UTC_TIME),
        ],
        schema=contract.schema(),
    )
    return Batch(
        rows=rows,
        rejected=_rejected_table(rejected, source_instance, extracted_at),
        reads=pa.Table.from_pylist(
            [
                {
                    "source_instance": source_instance,
                    "source_locator": first,
                    "rows_read_count": read_count,
                    "rows_loaded_count": count,
                    "rows_rejected_count": len(rejected),
                    "unknown_fields_count": unknown,
                    "window_key": window_key,
                    "extracted_at": extracted_at,
                }
            ],
            schema=READS_SCHEMA,
        ),
    )


def _refuse_lost_column(picked: Sequence[Sequence[Any]], contract: Contract) -> None:
    """Raises SourceError where a required column is null in a whole batch: it was dropped."""
    if len(picked) < _WHOLE_BATCH_ROWS:
        return
    for position, column in enumerate(contract.columns):
        if column.required and all(row[position] is None for row in picked):
            raise SourceError(f"{contract.resource}: no record has {column.name} any more")


def _rejected_table(
    rejected: Sequence[tuple[str, str, str | None, str]],
    source_instance: str,
    extracted_at: datetime,
) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "source_instance": source_instance,
                "source_locator": locator,
                "record_sha256": sha256,
                "column_name": column_name,
                "reason": reason,
                "extracted_at": extracted_at,
            }
            for locator, sha256, column_name, reason in rejected
        ],
        schema=REJECTED_SCHEMA,
    )


def _keep_what_fits(
    picked: Sequence[Sequence[Any]],
    places: Sequence[str],
    contract: Contract,
    rejected: list[tuple[str, str, str | None, str]],
) -> tuple[list[Sequence[Any]], list[str]]:
    """The rows that fit, one by one; the others are added to `rejected` with their first reason."""
    kept: list[Sequence[Any]] = []
    kept_places: list[str] = []
    # Only columns that do not fit as a whole are looked at value by value, which is slow.
    suspects = [
        (position, column)
        for position, column in enumerate(contract.columns)
        if build_array([row[position] for row in picked], column) is None
    ]
    for row, place in zip(picked, places, strict=True):
        misfit = next(
            (
                (column, row[position])
                for position, column in suspects
                if build_array([row[position]], column) is None
            ),
            None,
        )
        if misfit is None:
            kept.append(row)
            kept_places.append(place)
        else:
            column, value = misfit
            rejected.append((place, sha256_of(row), column.name, reason_of(value, column)))
    return kept, kept_places


def sha256_of(value: Any) -> str:
    """A hash of any decoded value, also of what JSON cannot hold."""
    try:
        data = orjson.dumps(value, default=str)
    except (TypeError, orjson.JSONEncodeError):
        data = repr(value).encode("utf-8", "surrogatepass")
    return hashlib.sha256(data).hexdigest()
