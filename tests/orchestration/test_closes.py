"""Months that close by themselves, and the message each close sends once."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from ops_stores import endpoint, opened_store, rows
from sqlalchemy import Engine

from ingestion.decisions import TOTAL_AMOUNTS, TOTAL_COUNTS, TOTAL_DIMENSIONS
from orchestration.governance.closes import announce_closes
from orchestration.governance.endpoints import sync_endpoints
from orchestration.ops import evaluator
from orchestration.ops.closing import CloseRefused, close_due, close_period, open_before
from orchestration.ops.store import writing
from orchestration.ops.tables import outbox

NOW = datetime(2026, 11, 6, 12, tzinfo=UTC)


@pytest.fixture
def marts() -> Iterator[duckdb.DuckDBPyConnection]:
    """Published on 6 November: 2.50 USD of September, 4 of October, 8 of November."""
    with duckdb.connect() as connection:
        connection.execute("create schema core; create schema spend")
        connection.execute(
            "create table core.published_snapshot as select 7 as snapshot_id,"
            " timestamp '2026-11-06 12:00:00' as as_of"
        )
        texts = ", ".join(f"null::varchar as {name}" for name in TOTAL_DIMENSIONS)
        amounts = ", ".join(f"usd::decimal(38, 15) as {name}" for name in TOTAL_AMOUNTS)
        counts = ", ".join(f"1::bigint as {name}" for name in TOTAL_COUNTS)
        connection.execute(
            f"""create table spend.fct_statement_monthly as
            select period, {texts}, {amounts}, {counts}
            from (values ('2026-09', 2.5), ('2026-10', 4), ('2026-11', 8)) as given (period, usd)"""
        )
        yield connection


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    with opened_store(tmp_path) as engine:
        yield engine


def begin(engine: Engine, as_of: datetime) -> None:
    with writing(engine) as connection:
        evaluator.record_snapshot(connection, snapshot_id=1, as_of=as_of, checks_ok=True, held=None)


def due(engine: Engine, marts: duckdb.DuckDBPyConnection) -> list[str]:
    return [closed.period for closed in close_due(engine, marts, after_days=5, now=NOW)]


def test_history_from_before_the_first_pass_stays_open(
    store: Engine, marts: duckdb.DuckDBPyConnection
) -> None:
    begin(store, datetime(2026, 11, 1, 9, tzinfo=UTC))
    assert due(store, marts) == []


def test_old_history_closed_by_hand_leaves_the_rest_of_it_open(
    store: Engine, marts: duckdb.DuckDBPyConnection
) -> None:
    begin(store, datetime(2026, 11, 1, 9, tzinfo=UTC))
    close_period(store, marts, "2026-09", by="ada", now=NOW)
    assert due(store, marts) == []
    assert open_before(store, marts, "2026-10") == []  # October itself is open, September is not
    assert close_period(store, marts, "2026-10", by="ada", now=NOW).period == "2026-10"


def test_the_first_month_that_ends_under_our_eyes_closes_what_is_before_it(
    store: Engine, marts: duckdb.DuckDBPyConnection
) -> None:
    begin(store, datetime(2026, 10, 20, tzinfo=UTC))
    assert due(store, marts) == ["2026-09", "2026-10"]
    assert due(store, marts) == []


def test_a_close_is_told_once(store: Engine, marts: duckdb.DuckDBPyConnection) -> None:
    begin(store, datetime(2026, 10, 20, tzinfo=UTC))
    sync_endpoints(store, [endpoint()])
    due(store, marts)
    assert announce_closes(store, as_of=NOW) == 2
    assert announce_closes(store, as_of=NOW) == 0
    told = [json.loads(row["body"])["data"] for row in rows(store, outbox)]
    assert sorted((each["period"], each["totals"]["effective_cost"]) for each in told) == [
        ("2026-09", "2.5"),
        ("2026-10", "4"),
    ]


def test_a_new_endpoint_hears_the_closes_of_the_last_30_days_and_no_name_of_a_person(
    store: Engine, marts: duckdb.DuckDBPyConnection
) -> None:
    old = NOW - timedelta(days=30)
    close_period(store, marts, "2026-09", by="ada.lovelace", now=old)
    close_period(store, marts, "2026-10", by="ada.lovelace", now=old + timedelta(seconds=1))
    sync_endpoints(store, [endpoint()])
    assert announce_closes(store, as_of=NOW) == 1
    [message] = rows(store, outbox)
    assert json.loads(message["body"])["data"]["period"] == "2026-10"
    assert b"ada" not in message["body"]


def test_a_month_takes_the_open_ones_before_it_along_but_only_when_it_is_over(
    store: Engine, marts: duckdb.DuckDBPyConnection
) -> None:
    assert open_before(store, marts, "2026-10") == ["2026-09"]
    with pytest.raises(CloseRefused, match="2026-11 was not over"):
        open_before(store, marts, "2026-11")
