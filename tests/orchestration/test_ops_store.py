"""The operational store: its file, its shape, its transactions, its append-only tables."""

import stat
import threading
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from ops_stores import opened_store, rows, store_url
from sqlalchemy import (
    BigInteger,
    Boolean,
    Engine,
    Executable,
    Integer,
    Table,
    Text,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError

from orchestration.ops.column_types import ExactDecimal, UtcDateTime
from orchestration.ops.store import open_store, reading, writing
from orchestration.ops.tables import APPEND_ONLY, METADATA, wallet_entry

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
ENTRY = {
    "id": "g1",
    "wallet_id": "w",
    "kind": "grant",
    "amount": Decimal("0.100000000000001"),
    "effective_at": AT,
    "recorded_at": AT,
}


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    with opened_store(tmp_path) as engine, engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_the_files_are_private(tmp_path: Path) -> None:
    with opened_store(tmp_path) as engine, writing(engine) as connection:
        connection.execute(insert(wallet_entry).values(**ENTRY))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes["ops.sqlite"] == 0o600
    assert set(modes.values()) == {0o600}


def test_opening_again_keeps_what_is_there(tmp_path: Path) -> None:
    for _ in range(2):
        with opened_store(tmp_path) as engine:
            if not rows(engine, wallet_entry):
                with writing(engine) as connection:
                    connection.execute(insert(wallet_entry).values(**ENTRY))
            assert len(rows(engine, wallet_entry)) == 1


def test_many_may_open_a_new_store_at_once(tmp_path: Path) -> None:
    failures: list[Exception] = []
    start = threading.Barrier(4)

    def run() -> None:
        start.wait()
        try:
            open_store(store_url(tmp_path)).dispose()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_store_in_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="must be a file"):
        open_store("sqlite://")


def test_money_and_instants_come_back_as_they_went_in(tmp_path: Path) -> None:
    big = Decimal("12345678901234567890123.123456789012345")
    away = datetime(2026, 11, 23, 7, tzinfo=timezone(timedelta(hours=-5)))
    with opened_store(tmp_path) as engine:
        with writing(engine) as connection:
            connection.execute(
                insert(wallet_entry).values(**ENTRY | {"amount": big, "effective_at": away})
            )
        (found,) = rows(engine, wallet_entry)
        assert (str(found["amount"]), found["effective_at"]) == (str(big), AT)
        with reading(engine) as connection:
            count = select(wallet_entry.c.id).where(wallet_entry.c.effective_at <= AT)
            assert connection.scalar(count) == "g1"


def test_an_instant_without_a_zone_is_refused(tmp_path: Path) -> None:
    naive = AT.replace(tzinfo=None)
    with (
        opened_store(tmp_path) as engine,
        pytest.raises(Exception, match="aware datetimes only"),
        writing(engine) as connection,
    ):
        connection.execute(insert(wallet_entry).values(**ENTRY | {"effective_at": naive}))


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with opened_store(tmp_path) as engine:
        with pytest.raises(RuntimeError, match="halfway"), writing(engine) as connection:
            connection.execute(insert(wallet_entry).values(**ENTRY))
            raise RuntimeError("halfway")
        assert rows(engine, wallet_entry) == []


def test_writers_take_turns(tmp_path: Path) -> None:
    order: list[str] = []
    with opened_store(tmp_path) as engine:
        inside, done = threading.Event(), threading.Event()

        def second() -> None:
            inside.wait()
            with writing(engine):
                order.append("second")
            done.set()

        thread = threading.Thread(target=second)
        thread.start()
        with writing(engine) as connection:
            inside.set()
            connection.execute(insert(wallet_entry).values(**ENTRY))
            order.append("first")
        assert done.wait(20)
        thread.join()
    assert order == ["first", "second"]


def a_row(table: Table) -> dict[str, Any]:
    """Some value in each column."""
    number, flag = dict.fromkeys((Integer, BigInteger), 1), {Boolean: True}
    made = {UtcDateTime: AT, ExactDecimal: Decimal(1), Text: "a", **number, **flag}
    return {column.name: made[type(column.type)] for column in table.columns}


def accepted_changes(engine: Engine) -> list[str]:
    """What the database lets pass: updates of a column, replacements, deletes, truncations."""
    accepted: list[str] = []
    for table in (METADATA.tables[name] for name in APPEND_ONLY):
        row = a_row(table)
        changes: dict[str, Executable] = {
            f"update of {table.name}.{name}": update(table).values({name: value})
            for name, value in row.items()
        }
        if engine.dialect.name == "sqlite":
            replaced = insert(table).prefix_with("or replace").values(row)
            changes[f"replacement in {table.name}"] = replaced
        else:
            changes[f"truncation of {table.name}"] = text(f"truncate {table.name}")
        with writing(engine) as connection:
            connection.execute(insert(table).values(row))
        for what, change in (changes | {f"delete from {table.name}": delete(table)}).items():
            try:
                with writing(engine) as connection:
                    connection.execute(change)
                accepted.append(what)
            except DBAPIError as error:
                assert f"{table.name} is append-only" in str(error.orig)
    return accepted


def test_what_is_append_only_refuses_every_change_in_the_database(ops_url: str) -> None:
    with opened_store(Path(), ops_url) as engine:
        assert accepted_changes(engine) == []
        for table in (METADATA.tables[name] for name in APPEND_ONLY):
            assert rows(engine, table) == [a_row(table)]


def test_each_trigger_is_what_protects_its_table(tmp_path: Path) -> None:
    for table in APPEND_ONLY:
        with opened_store(tmp_path / table) as engine:
            with writing(engine) as connection:
                connection.execute(text(f"drop trigger {table}_no_delete"))
            deleting = [f"replacement in {table}", f"delete from {table}"]
            assert accepted_changes(engine) == deleting


def test_the_tables_of_record_are_append_only() -> None:
    assert set(APPEND_ONLY) == {
        *("transition", "delivery_attempt", "enforcement_action"),
        *("wallet_entry", "wallet_checkpoint", "period_close"),
    }
