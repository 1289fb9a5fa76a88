"""Every record read is a row or a rejected row, and the counts say so."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ingestion.batches import Batch, batches_of, sha256_of, split
from ingestion.contracts import INTEGER, MONEY, TEXT, Column, Contract
from ingestion.http import SourceError

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
CONTRACT = Contract(
    resource="calls",
    columns=(
        Column("id", TEXT, required=True),
        Column("tokens", INTEGER, required=True),
        Column("spend", MONEY),
    ),
    pick=lambda record: (record.get("id"), record.get("tokens"), record.get("spend")),
    known_fields=frozenset({"id", "tokens", "spend", "prompt_version"}),
)


def batch_of(*records: Any) -> Batch:
    return split(
        [(f"row {number}", record) for number, record in enumerate(records, start=1)],
        contract=CONTRACT,
        source_instance="main",
        extracted_at=AT,
    )


def test_good_rows_load_beside_bad_ones() -> None:
    batch = batch_of(
        {"id": "a", "tokens": 5, "spend": 0.25},
        {"id": "b", "tokens": "5"},
        ["no object"],
        {"id": "c", "tokens": 6},
        {"id": None, "tokens": 7},
    )
    assert batch.rows.select(["id", "tokens"]).to_pylist() == [
        {"id": "a", "tokens": 5},
        {"id": "c", "tokens": 6},
    ]
    found = batch.rejected.select(["source_locator", "column_name", "reason"]).to_pylist()
    assert [tuple(row.values()) for row in found] == [
        ("row 3", None, "not_an_object"),
        ("row 2", "tokens", "not_an_integer"),
        ("row 5", "id", "missing"),
    ]
    assert batch.reads.to_pylist() == [
        {
            "source_instance": "main",
            "source_locator": "row 1",
            "rows_read_count": 5,
            "rows_loaded_count": 2,
            "rows_rejected_count": 3,
            "unknown_fields_count": 0,
            "window_key": None,
            "extracted_at": AT,
        }
    ]


def test_a_row_with_two_faults_is_rejected_once_for_the_first() -> None:
    batch = batch_of({"id": 7, "tokens": -1, "spend": "x"})
    assert batch.rejected.column("column_name").to_pylist() == ["id"]
    assert batch.read_count == 1


def test_of_a_rejected_row_no_value_is_kept() -> None:
    batch = batch_of({"id": "who@acme.example", "tokens": "my secret"}, "another secret")
    kept = str(batch.rejected.to_pylist())
    assert "secret" not in kept
    assert "acme" not in kept
    assert sha256_of("another secret") in kept


def test_a_field_nobody_declared_is_dropped_and_counted() -> None:
    batch = batch_of({"id": "a", "tokens": 1, "prompt": "x", "new": 1}, {"id": "b", "tokens": 1})
    assert batch.reads.column("unknown_fields_count").to_pylist() == [2]
    assert not {"prompt", "new"} & set(batch.rows.column_names)


def test_the_hash_of_a_row_changes_with_what_is_loaded_and_with_nothing_else() -> None:
    hashes = [
        batch_of({"id": "a", "tokens": 1, **more}).rows.column("row_hash").to_pylist()[0]
        for more in ({}, {"prompt": "x"}, {"spend": 0.5})
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_column_that_a_whole_page_lost_fails_the_run() -> None:
    with pytest.raises(SourceError, match="calls: no record has tokens any more"):
        batch_of(*({"id": str(number)} for number in range(10)))


def test_a_column_that_few_records_lack_rejects_these() -> None:
    assert batch_of(*({"id": str(number)} for number in range(9))).rejected.num_rows == 9
    whole = [{"id": str(number)} for number in range(20)]
    assert batch_of({"id": "x", "tokens": 1}, *whole).rejected.num_rows == 20


def test_records_are_read_no_further_than_the_batch_that_is_asked_for() -> None:
    read: list[int] = []

    def records() -> Iterator[tuple[str, Any]]:
        for number in range(5):
            read.append(number)
            yield f"row {number}", {"id": str(number), "tokens": number}

    batches = batches_of(
        records(), contract=CONTRACT, source_instance="main", extracted_at=AT, batch_rows=2
    )
    assert next(batches).read_count == 2
    assert read == [0, 1]
    assert [batch.read_count for batch in batches] == [2, 1]


def test_an_empty_source_still_gives_tables_and_no_read() -> None:
    [batch] = batches_of(
        [], contract=CONTRACT, source_instance="main", extracted_at=AT, batch_rows=2
    )
    assert (batch.rows.num_rows, batch.rejected.num_rows) == (0, 0)
    assert batch.reads.column("rows_read_count").to_pylist() == [0]
    assert batch.rows.schema == CONTRACT.schema()


@pytest.mark.parametrize("value", [10**30, "\ud800", float("nan"), b"\xff", {"a": [2**70]}])
def test_any_value_has_a_hash(value: Any) -> None:
    assert len(sha256_of(value)) == 64
    assert sha256_of(value) == sha256_of(value) != sha256_of([value])
