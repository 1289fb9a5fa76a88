"""`meterhouse close` as a person calls it, beside a pass."""

import fcntl
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from contract_marts import publish
from ops_stores import opened_store, rows
from sqlalchemy import Engine, event

from orchestration.cli import main
from orchestration.ops.tables import period_close


def marts(path: Path, *, snapshot_id: int) -> None:
    """Marts of 6 November with 4 USD of October."""
    as_of = datetime(2026, 11, 6, 12)  # noqa: DTZ001 (the marts hold naive UTC)
    line = {"period": "2026-10", "effective_cost_usd": Decimal(4)}
    publish(
        path,
        {
            "core.published_snapshot": [{"snapshot_id": snapshot_id, "as_of": as_of}],
            "spend.fct_statement_monthly": [line],
        },
    )


def close(home: Path) -> Result:
    runner = CliRunner(env={"METERHOUSE_HOME": str(home), "METERHOUSE_NOW": "2026-11-06T13:00:00Z"})
    return runner.invoke(main, ["close", "2026-10", "--by", "ada"])


@pytest.fixture
def was_locked(tmp_path: Path) -> Iterator[list[bool]]:
    """Of each month written to the ops store: whether the writer lock was taken then."""
    found: list[bool] = []

    def look(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.lower().startswith("insert into period_close"):
            return
        with (tmp_path / "writer.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                found.append(True)
            else:
                found.append(False)

    event.listen(Engine, "before_cursor_execute", look)
    yield found
    event.remove(Engine, "before_cursor_execute", look)


def test_a_month_closes_while_no_step_of_a_pass_can_run(
    tmp_path: Path, was_locked: list[bool]
) -> None:
    marts(tmp_path / "marts.duckdb", snapshot_id=7)
    marts(tmp_path / "marts_build.duckdb", snapshot_id=7)
    said = close(tmp_path)
    assert said.exit_code == 0, said.output
    assert "2026-10 is closed: 1 line(s), 4.00 USD, as snapshot 7 shows it" in said.output
    assert was_locked == [True]


def test_a_month_does_not_close_between_the_build_and_its_publishing(tmp_path: Path) -> None:
    marts(tmp_path / "marts.duckdb", snapshot_id=7)
    marts(tmp_path / "marts_build.duckdb", snapshot_id=8)
    said = close(tmp_path)
    assert said.exit_code == 2
    assert "not published them yet" in said.stderr
    with opened_store(tmp_path) as engine:
        assert rows(engine, period_close) == []
