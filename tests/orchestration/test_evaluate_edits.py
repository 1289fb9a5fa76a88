"""What follows when a budget is edited, paused, moved or deleted, on a real store."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from budget_readings import AS_OF, DECEMBER, KEY, NOVEMBER, budget, december, reading
from ops_stores import body, endpoint, opened_store, rows, steps, wants
from sqlalchemy import Engine

from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.evaluate import evaluate
from orchestration.ops.tables import outbox, transition


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    with opened_store(tmp_path) as engine:
        sync_endpoints(engine, [endpoint()])
        evaluate(engine, reading=reading(1, budget("10")))
        yield engine


def test_raising_the_budget_recovers_and_opens(store: Engine) -> None:
    evaluate(store, reading=reading(2, budget("1000")))
    raised = budget(
        "1000",
        budget_version="v2",
        amount=Decimal(4000),
        info_threshold=Decimal(2000),
        warning_threshold=Decimal(3000),
        critical_threshold=Decimal(4000),
    )
    evaluate(store, reading=reading(3, raised))
    assert steps(store)[-1] == (2, "critical", "ok")
    assert {row["seq"]: row["alert_version"] for row in rows(store, transition)} == {
        1: "v1",
        2: "v2",
    }
    assert wants(store) == [(KEY, "open", 2)]


def test_deleting_the_budget_resolves_and_opens(store: Engine) -> None:
    evaluate(store, reading=reading(2, budget("1000")))
    done = evaluate(store, reading=reading(3, keys=()))
    assert [(t.to_level, t.event_type) for t in done.transitions] == [
        ("ok", "budget.threshold_recovered")
    ]
    assert wants(store) == [(KEY, "open", 2)]
    assert evaluate(store, reading=reading(4, keys=())).transitions == ()


def test_an_empty_reading_with_a_red_check_is_no_deletion(store: Engine) -> None:
    evaluate(store, reading=reading(2, budget("1000")))
    done = evaluate(store, reading=reading(3, keys=(), checks_ok=False))
    assert done.transitions == ()
    assert wants(store) == [(KEY, "block", 1)]


def test_a_paused_budget_neither_tells_nor_acts_and_lifts_what_it_asked_for(store: Engine) -> None:
    evaluate(store, reading=reading(2, budget("1000")))
    paused = budget("1000", is_paused=True, budget_version="v2")
    evaluate(store, reading=reading(3, paused))
    assert wants(store) == [(KEY, "open", 2)]
    assert steps(store) == [(1, "ok", "critical")]
    evaluate(store, reading=reading(4, replace(paused, is_paused=False, budget_version="v3")))
    assert wants(store) == [(KEY, "block", 3)]
    assert steps(store) == [(1, "ok", "critical")]


def test_an_edit_of_a_budget_tells_nothing_of_periods_that_are_over(store: Engine) -> None:
    over = [budget("900", is_current=False), december("0")]
    evaluate(store, reading=reading(2, budget("10"), as_of=AS_OF))
    evaluate(
        store, reading=reading(3, budget("10", is_current=False), december("0"), as_of=DECEMBER)
    )
    lowered = {
        "budget_version": "v2",
        "amount": Decimal(9),
        "info_threshold": Decimal(3),
        "warning_threshold": Decimal(6),
        "critical_threshold": Decimal(9),
    }
    edited = [replace(each, **lowered) for each in (budget("10", is_current=False), december("0"))]
    assert evaluate(store, reading=reading(4, *edited, as_of=DECEMBER)).transitions == ()
    assert evaluate(store, reading=reading(5, *edited, as_of=DECEMBER)).transitions == ()
    # Back again, and then use that is late indeed.
    again = [replace(each, budget_version="v1") for each in over]
    assert evaluate(store, reading=reading(6, *again, as_of=DECEMBER)).transitions == ()
    more = [replace(again[0], used=Decimal(1000)), again[1]]
    done = evaluate(store, reading=reading(7, *more, as_of=DECEMBER))
    assert [(each.to_level, each.late) for each in done.transitions] == [("critical", True)]


def test_what_an_edit_makes_of_a_late_level_is_not_told_later_either(store: Engine) -> None:
    evaluate(
        store, reading=reading(2, budget("10", is_current=False), december("0"), as_of=DECEMBER)
    )
    late = budget("850", is_current=False)
    evaluate(store, reading=reading(3, late, december("0"), as_of=DECEMBER))
    assert steps(store) == [(1, "ok", "warning")]
    raised = {"budget_version": "v2", "warning_threshold": None, "critical_threshold": None}
    for snapshot in (4, 5):
        rows_now = [replace(late, info_threshold=Decimal(5000), **raised), december("0", **raised)]
        evaluate(store, reading=reading(snapshot, *rows_now, as_of=DECEMBER))
    assert steps(store) == [(1, "ok", "warning")]


def test_what_was_used_while_paused_is_not_told_of_a_period_that_is_over(store: Engine) -> None:
    paused = {"is_paused": True, "budget_version": "v2"}
    evaluate(store, reading=reading(2, budget("1000", **paused)))
    over = [budget("1000", is_current=False, **paused), december("0", **paused)]
    evaluate(store, reading=reading(3, *over, as_of=DECEMBER))
    back = [replace(each, is_paused=False, budget_version="v3") for each in over]
    assert evaluate(store, reading=reading(4, *back, as_of=DECEMBER)).transitions == ()
    assert evaluate(store, reading=reading(5, *back, as_of=DECEMBER)).transitions == ()
    assert steps(store) == []


def test_another_zone_or_beginning_ends_the_place_that_it_replaces(store: Engine) -> None:
    ever = {"period": "lifetime", "period_end_at": datetime(9999, 12, 31, tzinfo=UTC)}
    evaluate(store, reading=reading(2, budget("1000", **ever)))
    assert steps(store) == [(1, "ok", "critical")]
    redated = budget("10", **ever, budget_version="v2")
    redated = replace(redated, period_start_at=NOVEMBER + timedelta(days=10))
    done = evaluate(store, reading=reading(3, redated))
    assert [(each.from_level, each.to_level) for each in done.transitions] == [("critical", "ok")]
    last = max(rows(store, outbox), key=lambda row: row["ordinal"])
    assert body(last)["data"]["transition"]["cause"] == "moved"
    assert wants(store) == [(KEY, "open", 2)]
    assert evaluate(store, reading=reading(4, redated)).transitions == ()


@pytest.mark.parametrize(
    ("on_no_data", "told"),
    [
        ("zero", ["budget.threshold_reached", "budget.threshold_recovered"]),
        ("hold", ["budget.threshold_reached"]),
        ("notify", ["budget.threshold_reached", "budget.no_data"]),
    ],
)
def test_a_budget_without_use_any_more_does_as_it_says(
    store: Engine, on_no_data: str, told: list[str]
) -> None:
    said = {"on_no_data": on_no_data, "budget_version": "v2"}
    evaluate(store, reading=reading(2, budget("1000", **said, first_usage_at=NOVEMBER)))
    for snapshot in (3, 4):
        done = evaluate(store, reading=reading(snapshot, budget("0", **said)))
        assert done.data_errors == ()
    sent = sorted(rows(store, outbox), key=lambda row: row["ordinal"])
    assert [row["event_type"] for row in sent] == told
    assert wants(store) == [(KEY, *(("open", 2) if on_no_data == "zero" else ("block", 1)))]


def test_a_period_that_begins_without_use_is_not_told_to_lack_data(store: Engine) -> None:
    said = {"on_no_data": "notify"}
    over = [budget("10", is_current=False, first_usage_at=NOVEMBER, **said), december("0", **said)]
    evaluate(store, reading=reading(2, *over, as_of=DECEMBER))
    assert rows(store, outbox) == []


def test_a_period_that_has_not_begun_by_the_clock_stands(store: Engine) -> None:
    late = budget("10", is_current=False)
    evaluate(store, reading=reading(2, late, december("1000"), as_of=DECEMBER))
    evaluate(store, reading=reading(3, budget("10"), as_of=DECEMBER - timedelta(hours=2)))
    assert steps(store) == [(1, "ok", "critical")]
