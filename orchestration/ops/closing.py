"""Months closed: what a month's statement says when its books close is kept for ever.

The totals are frozen as the published marts show them: a pass with a red blocking check publishes
none, so a close never stands on one. What changes afterwards is a correction in
the first open month, which the models derive (`spend.fct_corrections`).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
from sqlalchemy import Engine, func, insert, select

from ingestion.decisions import TOTAL_AMOUNTS, TOTAL_COUNTS, TOTAL_DIMENSIONS
from orchestration.ops.store import reading, writing
from orchestration.ops.tables import facts_snapshot, period_close

STATEMENT_COLUMNS = (*TOTAL_DIMENSIONS, *TOTAL_AMOUNTS, *TOTAL_COUNTS)


class CloseRefused(Exception):
    """A month that may not be closed; the message says why."""


@dataclass(frozen=True)
class Closed:
    """A month just closed: its lines and known cost, and the digest of what was frozen."""

    period: str
    snapshot_id: int
    lines: int
    effective_cost_usd: Decimal
    totals_sha256: str


def close_period(
    engine: Engine, marts: duckdb.DuckDBPyConnection, period: str, *, by: str, now: datetime
) -> Closed:
    """Freezes a month (`2026-10`) as the marts show it; raises CloseRefused."""
    snapshot_id, as_of = _snapshot(marts)
    _refuse_running(period, as_of=as_of)
    with reading(engine) as connection:
        closed = set(connection.scalars(select(period_close.c.period)))
    if period in closed:
        raise CloseRefused(f"{period} is closed already")
    if closed and period < max(closed):
        raise CloseRefused(f"{max(closed)} is closed, and with it every month before it")
    if earlier := open_before(engine, marts, period):
        raise CloseRefused(f"{earlier[0]} is still open: close it first")
    lines = statement_lines(marts, period)
    text = json.dumps(
        {"period": period, "lines": [_json_line(line) for line in lines]},
        sort_keys=True,
        separators=(",", ":"),
    )
    sha = hashlib.sha256(text.encode()).hexdigest()
    with writing(engine) as connection:
        connection.execute(
            insert(period_close).values(
                period=period,
                snapshot_id=snapshot_id,
                closed_at=now,
                by=by,
                totals_json=text,
                totals_sha256=sha,
            )
        )
    cost = sum((line["effective_cost_usd"] for line in lines), Decimal(0))
    return Closed(period, snapshot_id, len(lines), cost, sha)


def open_before(engine: Engine, marts: duckdb.DuckDBPyConnection, period: str) -> list[str]:
    """The months before `period` that have lines and are not closed, in order.

    Raises CloseRefused where `period` itself is not over.
    """
    _, as_of = _snapshot(marts)
    _refuse_running(period, as_of=as_of)
    with reading(engine) as connection:
        newest = max(connection.scalars(select(period_close.c.period)), default="")
    return [each for each in _periods(marts) if newest < each < period]


def close_due(
    engine: Engine,
    marts: duckdb.DuckDBPyConnection,
    *,
    after_days: int,
    now: datetime,
) -> list[Closed]:
    """Closes, in order, every month with lines that ended `after_days` ago or earlier.

    None while the marts are of a version that has no statements yet. What was over before the
    first pass is history that sources still fill: it is closed by a person, or with the first month
    that ended under our eyes.
    """
    if not _has_statements(marts):
        return []
    _, as_of = _snapshot(marts)
    with reading(engine) as connection:
        newest = max(connection.scalars(select(period_close.c.period)), default="")
        began = connection.scalar(select(func.min(facts_snapshot.c.as_of)))
    due = [
        period
        for period in _periods(marts)
        if period > newest and month_end(period) + timedelta(days=after_days) <= as_of
    ]
    if began is None or not any(month_end(period) > began for period in due):
        return []
    return [close_period(engine, marts, period, by="meterhouse", now=now) for period in due]


def statement_lines(marts: duckdb.DuckDBPyConnection, period: str) -> list[dict[str, Any]]:
    """The lines of a month's statement, in an order of their own; money as Decimal."""
    names = ", ".join(STATEMENT_COLUMNS)
    order = ", ".join(f"{name} nulls first" for name in TOTAL_DIMENSIONS)
    rows = marts.execute(
        f"select {names} from spend.fct_statement_monthly where period = ? order by {order}",
        [period],
    ).fetchall()
    return [dict(zip(STATEMENT_COLUMNS, row, strict=True)) for row in rows]


def month_end(period: str) -> datetime:
    """The first instant after a month written as 2026-10 (UTC); raises CloseRefused."""
    try:
        first = date.fromisoformat(f"{period}-01")
    except ValueError:
        raise CloseRefused(f"{period!r} is not a month, for example 2026-10") from None
    after = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    return datetime(after.year, after.month, 1, tzinfo=UTC)


def _refuse_running(period: str, *, as_of: datetime) -> None:
    if as_of < month_end(period):
        raise CloseRefused(f"{period} was not over when the marts were made ({as_of:%Y-%m-%d})")


def _snapshot(marts: duckdb.DuckDBPyConnection) -> tuple[int, datetime]:
    found = marts.execute("select snapshot_id, as_of from core.published_snapshot").fetchone()
    if found is None:
        raise CloseRefused("nothing has been published yet")
    snapshot_id, as_of = found
    return snapshot_id, as_of.replace(tzinfo=UTC)


def _has_statements(marts: duckdb.DuckDBPyConnection) -> bool:
    query = "select 1 from information_schema.tables where table_name = 'fct_statement_monthly'"
    return marts.execute(query).fetchone() is not None


def _periods(marts: duckdb.DuckDBPyConnection) -> Sequence[str]:
    rows = marts.execute("select distinct period from spend.fct_statement_monthly").fetchall()
    return sorted(period for (period,) in rows)


def _json_line(line: dict[str, Any]) -> dict[str, Any]:
    return {
        name: format(value, "f") if isinstance(value, Decimal) else value
        for name, value in line.items()
    }
