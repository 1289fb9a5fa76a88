"""The lines of a CUR 2.0 file as records, and what is taken out of one: ids, names, amounts."""

import csv
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from gzip import GzipFile
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.contracts import MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.http import SourceError
from ingestion.json_text import decode_json, inside, tags_text
from ingestion.times import utc_text

_BATCH_ROWS = 50_000
# The exports that say less are of no use; the others depend on options of the export.
_NEEDED = (
    "identity_line_item_id",
    "line_item_line_item_type",
    "line_item_usage_start_date",
    "line_item_product_code",
    "line_item_usage_type",
    "line_item_unblended_cost",
    "line_item_currency_code",
)
_OPTIONAL = (
    "bill_payer_account_id",
    "line_item_usage_account_id",
    "line_item_usage_end_date",
    "line_item_operation",
    "line_item_resource_id",
    "line_item_usage_amount",
    "pricing_unit",
    "line_item_iam_principal",
    "resource_tags",
    "product",
    "product_region_code",
)
_FIELDS = (*_NEEDED, *_OPTIONAL)
# A file of everything an AWS payer buys: only the columns asked for are kept of each line.
_MOST_TEXT_BYTES = 16 << 30


def parquet_records(body: BinaryIO, *, place: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of a Parquet file, numbered from 1."""
    try:
        file = pq.ParquetFile(body)
        names = _columns(file.schema_arrow.names, place)
        number = 0
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=names):
            for record in batch.to_pylist():
                number += 1
                yield number, {name: _plain(value) for name, value in record.items()}
    except (pa.ArrowException, OSError):
        raise SourceError(f"aws_cur: {place} is not a whole Parquet file") from None


def csv_records(body: BinaryIO, *, place: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of a gzipped CSV file, numbered from 1; what is empty is null."""
    try:
        with GzipFile(fileobj=body) as unzipped:
            text = io.TextIOWrapper(_Capped(unzipped, place), encoding="utf-8-sig", newline="")
            lines = csv.DictReader(text, strict=True)
            names = _columns(lines.fieldnames or (), place)
            for number, line in enumerate(lines, start=1):
                if None in line or None in line.values():
                    raise SourceError(f"aws_cur: {place} line {number} has not as many fields")
                yield number, {name: line[name] or None for name in names}
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error):
        raise SourceError(f"aws_cur: {place} is not a whole gzipped CSV file") from None


class _Capped(io.RawIOBase):
    """A stream that ends in an error instead of filling the memory."""

    def __init__(self, stream: GzipFile, place: str) -> None:
        self._stream, self._place, self._left = stream, place, _MOST_TEXT_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._stream.readinto(buffer)
        self._left -= count
        if self._left < 0:
            raise SourceError(f"aws_cur: {self._place} holds more than {_MOST_TEXT_BYTES} bytes")
        return count


def _columns(names: Sequence[str], place: str) -> list[str]:
    """Those of the file's columns that are read; raises SourceError where a needed one is gone."""
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise SourceError(f"aws_cur: {place} has no column {missing[0]}")
    return [name for name in _FIELDS if name in names]


def _plain(value: Any) -> Any:
    """A Parquet value as JSON would write it; its times without a zone are UTC, maps are pairs."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, list) and all(isinstance(pair, tuple) for pair in value):
        return dict(value)
    return value


def _object(value: Any) -> Mapping[str, Any]:
    """A map column: an object, or in a CSV file the text of one."""
    if isinstance(value, str):
        try:
            value = decode_json(value.encode())
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def _pick(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of a line item, in order."""
    tags = _object(record.get("resource_tags"))
    region = inside(_object(record.get("product")), "region")
    return (
        record.get("identity_line_item_id"),
        record.get("bill_payer_account_id"),
        record.get("line_item_usage_account_id"),
        record.get("line_item_line_item_type"),
        utc_text(record.get("line_item_usage_start_date")),
        utc_text(record.get("line_item_usage_end_date")),
        record.get("line_item_product_code"),
        record.get("line_item_usage_type"),
        record.get("line_item_operation"),
        record.get("line_item_resource_id"),
        record.get("line_item_usage_amount"),
        record.get("pricing_unit"),
        record.get("line_item_unblended_cost"),
        record.get("line_item_currency_code"),
        record.get("line_item_iam_principal"),
        tags_text({name: value for name, value in tags.items() if isinstance(value, str)}),
        region or record.get("product_region_code"),
    )


LINE_ITEMS = Contract(
    resource="line_items",
    columns=(
        Column("line_item_id", TEXT, required=True),
        Column("payer_account_id", TEXT),
        Column("usage_account_id", TEXT),
        Column("line_item_type", TEXT, required=True),
        Column("usage_start_at", UTC_TIME, required=True),
        Column("usage_end_at", UTC_TIME),
        Column("product_code", TEXT, required=True),
        Column("usage_type", TEXT),
        Column("operation", TEXT),
        Column("resource_id", TEXT),
        Column("usage_amount", MONEY, signed=True),
        Column("pricing_unit", TEXT),
        Column("unblended_cost", MONEY, required=True, signed=True),
        Column("currency_code", TEXT, required=True),
        Column("iam_principal", TEXT),
        Column("resource_tags", TEXT),
        Column("region", TEXT),
    ),
    pick=_pick,
    known_fields=frozenset(_FIELDS),
    is_windowed=True,
)
