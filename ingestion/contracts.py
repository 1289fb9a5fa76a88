"""What a row may be: declared columns and the check of values against them.

Every source yields Arrow tables of a declared, allow-listed schema (DESIGN D3). Nothing is coerced:
`pa.array([1.5], int64())` would silently give 1, a naive time would become UTC.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

TEXT = pa.string()
INTEGER = pa.int64()
MONEY = pa.decimal128(38, 15)
UTC_TIME = pa.timestamp("us", tz="UTC")
_MONEY_PLACES = 15
_MONEY_QUANTUM = Decimal(1).scaleb(-_MONEY_PLACES)
_MONEY_LIMIT = Decimal("1e23")
# The default context has 28 digits; 23 before the point and 15 behind it need more.
_MONEY_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_MAX_INTEGER = 2**63 - 1
_MAX_TEXT_BYTES = 8192


@dataclass(frozen=True)
class Column:
    """One declared column; `required` rejects a row where it is null.

    Numbers are not negative unless `signed` declares credits, refunds or adjustments.
    """

    name: str
    type: pa.DataType
    required: bool = False
    signed: bool = False


@dataclass(frozen=True)
class Contract:
    """A resource's allow-listed columns, and `pick`, which takes exactly those from a record.

    Rows of a windowed resource carry the `window_key` they were read in: its vendor restates whole
    windows, so that a row that is gone from a newer reading is gone (DESIGN D2).
    """

    resource: str
    columns: tuple[Column, ...]
    pick: Callable[[Mapping[str, Any]], Sequence[Any]]
    known_fields: frozenset[str]
    is_windowed: bool = False

    def schema(self) -> pa.Schema:
        """The Arrow schema of a loaded row: declared columns, then our own."""
        return pa.schema(
            [pa.field(c.name, c.type, nullable=not c.required) for c in self.columns]
            + ([pa.field("window_key", TEXT, nullable=False)] if self.is_windowed else [])
            + [
                pa.field("source_instance", TEXT, nullable=False),
                pa.field("source_locator", TEXT, nullable=False),
                pa.field("row_hash", TEXT, nullable=False),
                pa.field("extracted_at", UTC_TIME, nullable=False),
            ]
        )


REJECTED_SCHEMA = pa.schema(
    [
        pa.field("source_instance", TEXT, nullable=False),
        pa.field("source_locator", TEXT, nullable=False),
        pa.field("record_sha256", TEXT, nullable=False),
        pa.field("column_name", TEXT),
        pa.field("reason", TEXT, nullable=False),
        pa.field("extracted_at", UTC_TIME, nullable=False),
    ]
)

READS_SCHEMA = pa.schema(
    [
        pa.field("source_instance", TEXT, nullable=False),
        pa.field("source_locator", TEXT, nullable=False),
        pa.field("rows_read_count", INTEGER, nullable=False),
        pa.field("rows_loaded_count", INTEGER, nullable=False),
        pa.field("rows_rejected_count", INTEGER, nullable=False),
        pa.field("unknown_fields_count", INTEGER, nullable=False),
        pa.field("window_key", TEXT),
        pa.field("extracted_at", UTC_TIME, nullable=False),
    ]
)


def build_columns(picked: Sequence[Sequence[Any]], contract: Contract) -> list[pa.Array] | None:
    """One Arrow array a column, or None when any value of the batch does not fit."""
    transposed = list(zip(*picked, strict=True)) if picked else [()] * len(contract.columns)
    arrays = []
    for column, values in zip(contract.columns, transposed, strict=True):
        array = build_array(values, column)
        if array is None:
            return None
        arrays.append(array)
    return arrays


def build_array(values: Sequence[Any], column: Column) -> pa.Array | None:
    """The values as an Arrow array, or None when any of them does not fit the column."""
    kinds = set(map(type, values)) - {type(None)}
    try:
        if column.type == MONEY:
            array = pa.array([_money(value) for value in values], MONEY)
        elif column.type == UTC_TIME:
            if kinds - {str}:
                return None
            # A text without a zone is refused by the cast: it would be read as UTC otherwise.
            array = pc.cast(pa.array(values, TEXT), UTC_TIME)
        elif column.type == INTEGER:
            if kinds - {int}:
                return None
            array = pa.array(values, INTEGER)
        elif column.type == pa.bool_():
            if kinds - {bool}:
                return None
            array = pa.array(values, pa.bool_())
        else:
            if kinds - {str}:
                return None
            array = pa.array(values, TEXT)
            # An over-long text is dropped from its row, not refused: the usage still counts.
            array = pc.if_else(pc.greater(pc.binary_length(array), _MAX_TEXT_BYTES), None, array)
    except (pa.ArrowInvalid, OverflowError, _Misfit, UnicodeEncodeError):
        return None
    if column.required and (array.null_count or _has_empty_text(array)):
        return None
    if column.type in (INTEGER, MONEY) and not column.signed:
        least = pc.min(array).as_py()
        if least is not None and least < 0:
            return None
    return array


def _has_empty_text(array: pa.Array) -> bool:
    return array.type == TEXT and bool(pc.any(pc.equal(array, "")).as_py())


class _Misfit(Exception):
    """A value that is not what its column declares; the message says why, in a word."""


def _money(value: Any) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise _Misfit("not_an_amount")
    if isinstance(value, str) and ("_" in value or value.strip() != value):
        raise _Misfit("not_an_amount")
    try:
        amount = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise _Misfit("not_an_amount") from None
    if not amount.is_finite():
        raise _Misfit("not_an_amount")
    # abs() would round to the default context, which an exponent of millions overflows.
    if amount.copy_abs() >= _MONEY_LIMIT:
        raise _Misfit("out_of_range")
    return amount.quantize(_MONEY_QUANTUM, context=_MONEY_CONTEXT)


def exact(amount: Decimal | None, *, places: int = _MONEY_PLACES) -> Decimal | None:
    """An amount with all the places of its column, money's by itself; null stays null."""
    if amount is None:
        return None
    return amount.quantize(Decimal(1).scaleb(-places), context=_MONEY_CONTEXT)


def reason_of(value: Any, column: Column) -> str:
    """Why a value was refused, in a word; never the value itself."""
    if value is None or value == "":
        return "missing"
    if column.type == INTEGER:
        if isinstance(value, bool) or not isinstance(value, int):
            return "not_an_integer"
        return "negative" if value < 0 and not column.signed else "out_of_range"
    if column.type == MONEY:
        try:
            _money(value)
        except _Misfit as misfit:
            return str(misfit)
        return "negative"
    if column.type == UTC_TIME:
        return "not_a_time_with_zone"
    if column.type == pa.bool_():
        return "not_a_boolean"
    if isinstance(value, str) and len(value.encode(errors="replace")) > _MAX_TEXT_BYTES:
        return "too_long"
    return "not_text"
