"""A value fits its column as it is or not at all: nothing is coerced."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from ingestion.bedrock_records import INVOCATIONS
from ingestion.contracts import (
    INTEGER,
    MONEY,
    TEXT,
    UTC_TIME,
    Column,
    Contract,
    build_array,
    build_columns,
    exact,
    reason_of,
)
from ingestion.litellm import SPEND_LOGS

TOKENS = Column("tokens", INTEGER, required=True)
SPEND = Column("spend", MONEY)
STARTED = Column("started", UTC_TIME)
NAME = Column("name", TEXT)
KEY = Column("key", TEXT, required=True)
FLAG = Column("flag", pa.bool_())


def fitted(column: Column, value: Any) -> Any:
    """The value as it is loaded, or the reason why it is not."""
    array = build_array([value], column)
    return reason_of(value, column) if array is None else array.to_pylist()[0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (2**63 - 1, 2**63 - 1),
        (2**63, "out_of_range"),
        (10**30, "out_of_range"),
        (-1, "negative"),
        (True, "not_an_integer"),
        ("7", "not_an_integer"),
        ("7 tokens", "not_an_integer"),
        (7.0, "not_an_integer"),
        (float("nan"), "not_an_integer"),
        (None, "missing"),
    ],
)
def test_a_count_is_a_whole_number_or_nothing(value: Any, expected: Any) -> None:
    assert fitted(TOKENS, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, Decimal("0.1")),
        (1.3350000000000001e-05, Decimal("0.00001335")),
        ("0.000000000000001", Decimal("0.000000000000001")),
        (3, Decimal(3)),
        (1e-30, Decimal(0)),
        (10**22, Decimal(10**22)),
        (10**23, "out_of_range"),
        (-0.01, "negative"),
        (float("nan"), "not_an_amount"),
        (float("inf"), "not_an_amount"),
        ("NaN", "not_an_amount"),
        ("1,234", "not_an_amount"),
        ("1_234", "not_an_amount"),
        (" 1", "not_an_amount"),
        ("1e9999999", "out_of_range"),
        (True, "not_an_amount"),
        ([1], "not_an_amount"),
        (None, None),
    ],
)
def test_an_amount_is_exact_or_nothing(value: Any, expected: Any) -> None:
    assert fitted(SPEND, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-23T07:09:29.018Z", datetime(2026, 11, 23, 7, 9, 29, 18_000, UTC)),
        ("2026-11-23T07:09:29.018+00:00", datetime(2026, 11, 23, 7, 9, 29, 18_000, UTC)),
        # 2026-03-08 03:30 in New York, the first hour of its summer time.
        ("2026-03-08T03:30:00-04:00", datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),
        ("2026-11-23T07:09:29", "not_a_time_with_zone"),
        ("yesterday", "not_a_time_with_zone"),
        (1795417769, "not_a_time_with_zone"),
        (None, None),
    ],
)
def test_a_time_names_its_zone_or_is_none(value: Any, expected: Any) -> None:
    assert fitted(STARTED, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("Zoë", "Zoë"), ("", ""), (None, None), (5, "not_text"), ("\ud800", "not_text")],
)
def test_a_text_is_text(value: Any, expected: Any) -> None:
    assert fitted(NAME, value) == expected


def test_an_overlong_text_is_dropped_and_its_row_kept() -> None:
    # 8,192 bytes are allowed: the second text has as many characters, but one more byte.
    values = ["x" * 8192, "ß" + "x" * 8191]
    array = build_array(values, NAME)
    assert array is not None
    assert array.to_pylist() == ["x" * 8192, None]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a", "a"), (None, "missing"), ("", "missing"), ("x" * 9000, "too_long")],
)
def test_a_key_is_there(value: Any, expected: str) -> None:
    assert fitted(KEY, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), (None, None), (1, "not_a_boolean"), ("t", "not_a_boolean")],
)
def test_a_boolean_is_a_boolean(value: Any, expected: Any) -> None:
    assert fitted(FLAG, value) == expected


def test_one_value_that_does_not_fit_refuses_the_batch() -> None:
    contract = Contract(
        resource="things",
        columns=(TOKENS, NAME),
        pick=lambda record: (record["tokens"], record["name"]),
        known_fields=frozenset(),
    )
    assert build_columns([(1, "a"), (2, "b")], contract) == [
        pa.array([1, 2], INTEGER),
        pa.array(["a", "b"], TEXT),
    ]
    assert build_columns([(1, "a"), (2.5, "b")], contract) is None
    assert build_columns([], contract) == [pa.array([], INTEGER), pa.array([], TEXT)]


@pytest.mark.parametrize("contract", [SPEND_LOGS, INVOCATIONS], ids=lambda each: each.resource)
def test_a_contract_picks_exactly_its_columns(contract: Contract) -> None:
    assert len(contract.pick({})) == len(contract.columns)
    names = contract.schema().names
    assert len(names) == len(set(names))
    assert names[-4:] == ["source_instance", "source_locator", "row_hash", "extracted_at"]


def test_an_amount_of_thirty_digits_keeps_them_all() -> None:
    amount = Decimal("123456789012345678.123456789012")
    assert str(exact(amount)) == "123456789012345678.123456789012000"
    assert (exact(None), str(exact(Decimal("0.5"), places=6))) == (None, "0.500000")
