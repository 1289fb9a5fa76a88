"""What we charged customers: one row is a line of revenue over a period, the income side of margin.

Told by: us, in CSV files in one folder, exported from billing or a CRM. The first line names the
columns: `id, customer, feature, period_start_on, period_end_on, amount, currency_code`. Days are
UTC, the end is exclusive; customer and feature are ids of config/; feature may be empty; an amount
below zero is a credit.
Read whole: each file is a window. One that reads as last time is not appended again, one that
changed replaces what it said, one that is gone takes it back.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Any, Literal

import dlt
from dlt.extract import DltResource

from ingestion.batches import Batch, SetAside, sha256_of
from ingestion.config_types import EnvName
from ingestion.contracts import MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.http import SourceError
from ingestion.resources import rows_rejected_reads
from ingestion.restated import WindowRead, read_windows, window_batches
from ingestion.source_config import SourceConfig

_NEEDED = ("id", "customer", "period_start_on", "period_end_on", "amount", "currency_code")
_FIELDS = (*_NEEDED, "feature")
_MOST_BYTES = 256 << 20
# Longer than any contract: a year mistyped would spread over centuries.
# As dbt converts amounts (macro to_usd).
_LARGEST_AMOUNT = Decimal("1e11")
_MOST_DAYS = 3660


class RevenueSource(SourceConfig):
    """A folder of CSV files with what customers were charged."""

    system: Literal["revenue"]
    # Files come by the month.
    stale_after_hours: int = 24 * 31
    evidence_layer: Literal["invoice"] = "invoice"
    folder_env: EnvName


def _pick(record: Mapping[str, Any]) -> Sequence[Any]:
    return (
        record.get("id"),
        record.get("customer"),
        record.get("feature"),
        _midnight(record.get("period_start_on")),
        _midnight(record.get("period_end_on")),
        record.get("amount"),
        record.get("currency_code"),
    )


LINES = Contract(
    resource="lines",
    columns=(
        Column("line_id", TEXT, required=True),
        Column("customer", TEXT, required=True),
        Column("feature", TEXT),
        Column("period_start_at", UTC_TIME, required=True),
        Column("period_end_at", UTC_TIME, required=True),
        Column("amount", MONEY, required=True, signed=True),
        Column("currency_code", TEXT, required=True),
    ),
    pick=_pick,
    known_fields=frozenset(_FIELDS),
    is_windowed=True,
)
CONTRACTS = (LINES,)


@dlt.source(name="revenue", max_table_nesting=0)
def revenue_source(
    *, folder: str | None, instance: str, now: datetime, deep_reread: bool = False
) -> Sequence[DltResource]:
    """Lines of revenue out of every CSV file of a folder."""

    def batches() -> Iterator[Batch]:
        files = _files(folder)
        # A file that was there before and is gone is read as one without lines.
        windows = {name: partial(_no_lines) for name in read_windows(LINES) - files.keys()}
        windows |= {name: partial(_lines, path) for name, path in files.items()}
        yield from window_batches(
            [WindowRead(name, read) for name, read in sorted(windows.items())],
            contract=LINES,
            source_instance=instance,
            extracted_at=now.astimezone(UTC),
        )

    return rows_rejected_reads(
        LINES.resource,
        batches,
        description="Lines of revenue; key (file, id); a file that changed replaces its lines.",
    )


def _files(folder: str | None) -> dict[str, Path]:
    path = Path(folder or "")
    if not folder or not path.is_dir():
        raise SourceError(f"revenue: there is no folder {path.name} to read files from")
    return {file.name: file for file in sorted(path.glob("*.csv"))}


def _no_lines() -> Iterator[tuple[str, Any]]:
    return iter(())


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    """Where each line of a file stands, and the line, or why it is set aside."""
    if path.stat().st_size > _MOST_BYTES:
        raise SourceError(f"revenue: {path.name} is larger than {_MOST_BYTES} bytes")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            missing = [name for name in _NEEDED if name not in (rows.fieldnames or ())]
            if missing:
                raise SourceError(f"revenue: {path.name} has no column {', '.join(missing)}")
            seen: set[str] = set()
            for number, row in enumerate(rows, start=2):
                record = {name: value for name, value in row.items() if name and value}
                yield f"{path.name} line {number}", _checked(record, row, seen)
    except (UnicodeDecodeError, csv.Error):
        raise SourceError(f"revenue: {path.name} is not CSV in UTF-8") from None


def _checked(record: dict[str, Any], row: Mapping[Any, Any], seen: set[str]) -> Any:
    """The line itself, or set aside for what only a line of revenue can be wrong about."""
    column, reason = _fault(record, row, seen)
    seen.add(str(record.get("id")))
    return SetAside(column, reason, sha256_of(record)) if reason else record


def _fault(
    record: Mapping[str, Any], row: Mapping[Any, Any], seen: set[str]
) -> tuple[str | None, str]:
    if None in row or None in row.values():
        return None, "not_as_many_fields"
    if str(record.get("id")) in seen:
        return "line_id", "twice_in_its_file"
    currency = record.get("currency_code", "")
    if currency and not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        return "currency_code", "not_a_currency_code"
    if _is_too_large(record.get("amount")):
        return "amount", "too_large"
    start, end = (_day(record.get(name)) for name in ("period_start_on", "period_end_on"))
    for column, value in (("period_start_at", start), ("period_end_at", end)):
        if value is None:
            return column, "not_a_day"
    if start is not None and end is not None:
        if end <= start:
            return "period_end_at", "period_is_empty"
        if (end - start).days > _MOST_DAYS:
            return "period_end_at", "period_is_too_long"
    return None, ""


def _is_too_large(value: Any) -> bool:
    """What no conversion can multiply; what is no number is refused by its column."""
    try:
        return abs(Decimal(str(value))) >= _LARGEST_AMOUNT
    except InvalidOperation:
        return False


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value or "")
    except ValueError:
        return None


def _midnight(value: Any) -> Any:
    return value if _day(value) is None else f"{value}T00:00:00Z"
