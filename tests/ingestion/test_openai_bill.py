"""OpenAI's bill is read day by day, restated days whole, and twice without a trace."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bill_loads import (
    ADMIN_KEY,
    NOW,
    Ledger,
    completions,
    cost,
    load_openai_bill,
    recorded_openai,
)
from dlt.pipeline.exceptions import PipelineStepFailed
from raw_loads import FIXTURES, cursor_of, loaded, refusal, rows_of, tied
from scripted_server import Answer, ScriptedServer, scripted_server

COSTS, USAGE = "raw_openai_bill.costs", "raw_openai_bill.usage"
FIRST, SECOND, THIRD = (date(2026, 10, n) for n in (1, 2, 3))
MIDNIGHT = 1_790_812_800
DAY = 86_400


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.http.BACKOFF_SECONDS", 0.001)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse nothing was loaded into."""
    return tmp_path / "home"


@pytest.fixture
def ledger() -> Ledger:
    """An organisation that used nothing."""
    return Ledger(days={"/costs": {}, "/usage/completions": {}})


@pytest.fixture
def provider(ledger: Ledger) -> Iterator[ScriptedServer]:
    """OpenAI, answering from the ledger."""
    with scripted_server(ledger.answer) as running:
        yield running


def amounts(home: Path) -> list[Decimal]:
    return list(loaded(home, "amount", table=COSTS))


def test_the_recorded_organisation_is_read_as_it_was_told(home: Path) -> None:
    with recorded_openai() as provider:
        endpoints = ("completions", "embeddings", "images", "web_search_calls")
        load_openai_bill(home, provider.url, endpoints=endpoints)
        asked = {request.path: request.query for request in provider.asked}
        assert {request.headers["authorization"] for request in provider.asked} == {
            f"Bearer {ADMIN_KEY}"
        }
    assert tied(home, table=COSTS) == (5, 5, 0)
    assert tied(home, table=USAGE) == (5, 5, 0)
    found = loaded(home, "endpoint, api_key_id, quantity, quantity_unit, is_batch", table=USAGE)
    assert found == [
        ("completions", "key_1", Decimal(1_000_000), "tokens", False),
        ("completions", "key_2", Decimal(50_000), "tokens", False),
        ("completions", "key_3", Decimal(400_000), "tokens", True),
        ("embeddings", "key_1", Decimal(250_000), "tokens", None),
        ("images", "key_1", Decimal(12), "images", None),
    ]
    # Three days, of which the last ended at midnight; a page of costs holds more of them.
    assert asked["/costs"]["start_time"] == str(MIDNIGHT)
    assert asked["/costs"]["end_time"] == str(MIDNIGHT + 3 * DAY)
    assert (asked["/costs"]["limit"], asked["/usage/images"]["limit"]) == ("180", "31")
    assert {query["bucket_width"] for query in asked.values()} == {"1d"}


def test_every_page_of_every_day_is_read(
    ledger: Ledger, provider: ScriptedServer, home: Path
) -> None:
    ledger.page_days = 2
    for day in (FIRST, SECOND, THIRD):
        ledger.days["/costs"][day] = [cost("m, input", day.day)]
    load_openai_bill(home, provider.url)
    assert amounts(home) == [Decimal(1), Decimal(2), Decimal(3)]
    assert loaded(home, "window_key", table=COSTS) == ["2026-10-01", "2026-10-02", "2026-10-03"]


def test_five_runs_over_an_unchanged_bill_append_nothing(
    ledger: Ledger, provider: ScriptedServer, home: Path
) -> None:
    lines = [cost("a", 1), cost("b", 2)]
    usage = [completions("k1", given=10, output=1), completions("k2", given=20, output=2)]
    for run in range(5):
        # Results come in no order.
        ledger.days["/costs"][FIRST] = lines[:: -1 if run % 2 else 1]
        ledger.days["/usage/completions"][SECOND] = usage[:: -1 if run % 2 else 1]
        load_openai_bill(home, provider.url, now=NOW + timedelta(hours=run))
    assert tied(home, table=COSTS) == (2, 2, 0)
    assert tied(home, table=USAGE) == (2, 2, 0)


def test_a_restated_day_is_appended_whole_and_one_that_vanished_is_said_to_be_empty(
    home: Path,
) -> None:
    with recorded_openai() as provider:
        load_openai_bill(home, provider.url)
    with recorded_openai(costs="costs_restated.json") as provider:
        load_openai_bill(home, provider.url, now=NOW + timedelta(hours=1))
        assert amounts(home)[:2] == [Decimal("-0.1"), Decimal("0.025")]
        assert tied(home, table=COSTS) == (7, 7, 0)
    with recorded_openai(costs="empty.json") as provider:
        load_openai_bill(home, provider.url, now=NOW + timedelta(hours=2))
    readings = rows_of(
        home,
        f"select window_key, rows_read_count from {COSTS}__reads order by _dlt_load_id",
    )
    assert readings == [("2026-10-01", 5), ("2026-10-01", 2), ("2026-10-01", 0)]


def test_late_days_are_found_in_the_overlap_and_by_the_deep_reread(
    ledger: Ledger, provider: ScriptedServer, home: Path
) -> None:
    now = NOW + timedelta(days=40)
    load_openai_bill(home, provider.url, now=now, days=90)
    today = now.date()
    ledger.days["/costs"] = {
        today - timedelta(days=7): [cost("a week late", 7)],
        today - timedelta(days=8): [cost("later", 8)],
        today - timedelta(days=35): [cost("much later", 35)],
        today - timedelta(days=36): [cost("too late", 36)],
    }
    load_openai_bill(home, provider.url, now=now, days=90)
    assert amounts(home) == [Decimal(7)]
    load_openai_bill(home, provider.url, now=now, days=90, deep_reread=True)
    assert amounts(home) == [Decimal(7), Decimal(8), Decimal(35)]


def test_lines_that_do_not_fit_are_set_aside_with_their_reason(home: Path) -> None:
    with recorded_openai(costs="costs_malformed.json") as provider:
        load_openai_bill(home, provider.url)
    assert tied(home, table=COSTS) == (8, 1, 7)
    assert amounts(home) == [Decimal("1.5")]
    rejected = rows_of(
        home, f"select column_name, reason, source_locator from {COSTS}__rejected order by all"
    )
    assert [row[:2] for row in rejected] == [
        ("amount", "missing"),
        ("amount", "not_an_amount"),
        ("amount", "not_an_amount"),
        ("amount", "not_an_amount"),
        ("amount", "out_of_range"),
        ("currency", "missing"),
        (None, "not_an_object"),
    ]
    assert rejected[-1][2] == "/costs 2026-10-01 page 1 row 2"
    [[unknown]] = rows_of(home, f"select sum(unknown_fields_count) from {COSTS}__reads")
    assert unknown == 1
    assert "what somebody asked" not in bytes_under(home)


def bytes_under(home: Path) -> str:
    files = [path for path in home.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in files).decode("utf-8", "replace")


def test_a_count_that_is_gone_fails_the_run_instead_of_billing_nothing(
    ledger: Ledger, provider: ScriptedServer, home: Path
) -> None:
    rows = [completions(f"k{n}", given=1, output=1) for n in range(10)]
    ledger.days["/usage/completions"][FIRST] = [
        {name: value for name, value in row.items() if name != "input_tokens"} for row in rows
    ]
    with pytest.raises(PipelineStepFailed) as failed:
        load_openai_bill(home, provider.url)
    assert refusal(failed) == "usage: no record has quantity any more"


def test_a_failed_run_leaves_cursor_and_rows_as_they_were(
    ledger: Ledger, provider: ScriptedServer, home: Path
) -> None:
    ledger.days["/costs"][FIRST] = [cost("a", 1)]
    load_openai_bill(home, provider.url)
    before = cursor_of(home, "openai_bill", "openai-bill")
    assert before["cursors"] == {"costs": "2026-10-04", "usage": "2026-10-04"}
    ledger.days["/costs"][SECOND] = [cost("b", 2)]
    refused = (FIXTURES / "openai_bill" / "error_401.json").read_text(encoding="utf-8")
    provider.answer = lambda asked: Answer(refused, status=401)
    with pytest.raises(PipelineStepFailed) as failed:
        load_openai_bill(home, provider.url, now=NOW + timedelta(days=1))
    said = refusal(failed)
    assert "answered 401: it takes an admin key with the scope api.usage.read" in said
    assert ADMIN_KEY not in str(failed.value)
    assert cursor_of(home, "openai_bill", "openai-bill") == before
    assert amounts(home) == [Decimal(1)]
    provider.answer = ledger.answer
    load_openai_bill(home, provider.url, now=NOW + timedelta(days=1))
    assert amounts(home) == [Decimal(1), Decimal(2)]


def test_a_line_written_while_pages_are_read_is_found_by_the_next_run(
    ledger: Ledger, provider: ScriptedServer, home: Path
) -> None:
    ledger.page_days = 1
    ledger.days["/costs"] = {day: [cost("m", day.day)] for day in (FIRST, SECOND, THIRD)}

    def growing(asked: Any) -> Answer:
        answer = ledger.answer(asked)
        if asked.path == "/costs" and asked.query.get("page") == "page_1":
            ledger.days["/costs"][FIRST] = [cost("m", 1), cost("late", 9)]
        return answer

    provider.answer = growing
    load_openai_bill(home, provider.url)
    assert amounts(home) == [Decimal(1), Decimal(2), Decimal(3)]
    provider.answer = ledger.answer
    load_openai_bill(home, provider.url)
    # The first day is read whole again; staging keeps its newer reading.
    assert amounts(home) == [Decimal(1), Decimal(1), Decimal(2), Decimal(3), Decimal(9)]
