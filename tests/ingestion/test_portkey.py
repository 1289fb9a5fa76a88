"""Portkey's exports are read window by window, whole or not at all, and twice without a trace."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from dlt.pipeline.exceptions import PipelineStepFailed
from portkey_server import (
    API_KEY,
    PAGES,
    PORTKEY,
    READ_AT,
    PortkeyServer,
    lines_of,
    load_portkey,
    portkey_server,
    row,
)
from raw_loads import cursor_of, loaded, refusal, rows_of, tied
from scripted_server import Answer

from sandbox.server import Sandbox

LOGS = "raw_portkey.log_exports"
COSTS = "raw_portkey.analytics_cost"
KEYS = "raw_portkey.keys"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.http.BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr("ingestion.portkey_exports.POLL_SECONDS", 0.001)


@pytest.fixture
def plane() -> Iterator[PortkeyServer]:
    """A control plane with nothing logged."""
    with portkey_server() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse nothing was loaded into."""
    return tmp_path / "home"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with one row, shared by runs that must leave it as it is."""
    home = tmp_path_factory.mktemp("untouched")
    with portkey_server(lines=[row("first", "2026-11-20T10:00:01.000Z")]) as plane:
        load_portkey(home, plane.url)
    return home


def ids(home: Path) -> list[Any]:
    return loaded(home, "id", table=LOGS)


def kept(home: Path) -> list[Any]:
    """The rows of every table, and the state that was committed with them."""
    tables = [LOGS, f"{LOGS}__rejected", f"{LOGS}__reads", "raw_portkey._dlt_pipeline_state"]
    union = " union all ".join(f"select '{name}', count(*) from {name}" for name in tables)
    return rows_of(home, f"select * from ({union}) order by all")


def refused(home: Path, plane: PortkeyServer, **facts: Any) -> str:
    """Why the run failed; the warehouse holds what it held, the cursor stands where it stood."""
    before = kept(home)
    with pytest.raises(PipelineStepFailed) as failed:
        load_portkey(home, plane.url, now=READ_AT + HOUR, **facts)
    assert API_KEY not in str(failed.value)
    assert kept(home) == before
    return refusal(failed)


def test_an_empty_log_costs_one_request_an_hour_and_moves_the_cursor(
    plane: PortkeyServer, home: Path
) -> None:
    plane.lines = lines_of("log_export_empty.jsonl")
    load_portkey(home, plane.url)
    assert tied(home, table=LOGS) == (0, 0, 0)
    assert plane.exports() == []
    # From 08:00 to 12:00:30: four hours, and the one that has begun.
    assert len(plane.jobs) == 5
    state = cursor_of(home, "portkey", PORTKEY)
    assert state["cursors"]["log_exports"] == "2026-11-20T12:00:30+00:00"


def test_an_export_is_polled_until_it_is_done_and_read_without_our_key(
    plane: PortkeyServer, home: Path
) -> None:
    plane.lines, plane.polls = lines_of("log_export.jsonl"), 3
    load_portkey(home, plane.url)
    assert tied(home, table=LOGS) == (6, 6, 0)
    assert plane.exports() == [("2026-11-20T09:00:00.000Z", "2026-11-20T10:00:00.000Z", 0)]
    assert set(plane.polled.values()) == {4}
    [downloaded] = [asked for asked in plane.script.asked if asked.path.startswith("/files/")]
    assert API_KEY not in str(downloaded.headers)
    costs = sorted(loaded(home, "cost", table=LOGS))
    # Cents, as they were exported.
    assert costs == [0, 0, 0, Decimal("0.0024"), Decimal("0.0384"), Decimal("1.566")]
    # Each attempt of one trace is a row of its own.
    assert set(loaded(home, "trace_id", table=LOGS)) == {"trace-syn-1"}


def test_a_row_that_comes_in_meanwhile_is_neither_lost_nor_doubled(
    plane: PortkeyServer, home: Path
) -> None:
    plane.lines = [row("before", "2026-11-20T11:10:00.000Z")]
    plane.late = [row("meanwhile", "2026-11-20T11:20:00.000Z"),
                  row("passed by", "2026-11-20T10:20:00.000Z")]  # fmt: skip
    load_portkey(home, plane.url)
    assert sorted(ids(home)) == ["before", "meanwhile"]
    load_portkey(home, plane.url, now=READ_AT + timedelta(minutes=1))
    assert sorted(ids(home)) == ["before", "meanwhile", "passed by"]


def test_further_back_than_what_is_read_again_windows_are_days(
    plane: PortkeyServer, home: Path
) -> None:
    plane.lines = [row("old", "2026-11-14T03:00:00.000Z")]
    load_portkey(home, plane.url, history=timedelta(days=8))
    assert plane.exports() == [("2026-11-14T00:00:00.000Z", "2026-11-15T00:00:00.000Z", 0)]
    # 12 to 16 November, then hours from the 17th to the 20th at 12:00:30.
    assert len(plane.jobs) == 5 + 3 * 24 + 13
    digests = cursor_of(home, "portkey", PORTKEY)["digests"]["log_exports"]
    assert min(digests) == "2026-11-17T00:00:00.000Z"


def test_an_unchanged_log_appends_nothing(plane: PortkeyServer, home: Path) -> None:
    plane.lines = lines_of("log_export.jsonl")
    plane.keys = [json.loads((PAGES / "api_key.json").read_text(encoding="utf-8"))]
    for deep in (False, True, False, False, True):
        load_portkey(home, plane.url, deep_reread=deep)
    counts = [tied(home, table=table) for table in (LOGS, COSTS, KEYS)]
    assert counts == [(6, 6, 0), (1, 1, 0), (1, 1, 0)]


def test_a_restated_row_is_appended_beside_its_old_version(
    plane: PortkeyServer, home: Path
) -> None:
    plane.lines = lines_of("log_export.jsonl")
    load_portkey(home, plane.url)
    plane.lines = lines_of("log_export_restated.jsonl")
    load_portkey(home, plane.url, deep_reread=True)
    first = "3d0c4e0e-aaaa-4bbb-8ccc-000000000001"
    costs = [cost for id, cost in loaded(home, "id, cost", table=LOGS) if id == first]
    assert costs == [Decimal("0.0384"), Decimal("0.0484")]


def test_a_late_row_is_found_within_the_overlap_and_a_later_one_by_the_deep_read(
    plane: PortkeyServer, home: Path
) -> None:
    load_portkey(home, plane.url)
    plane.lines = [row("1 h", "2026-11-20T11:00:00.000Z"), row("1 d", "2026-11-19T12:00:00.000Z")]
    load_portkey(home, plane.url, now=READ_AT + timedelta(minutes=5), history=timedelta(days=9))
    # An hour's first row lies on the boundary of two windows.
    assert set(ids(home)) == {"1 h"}
    load_portkey(home, plane.url, now=READ_AT + HOUR, deep_reread=True, history=timedelta(days=9))
    assert set(ids(home)) == {"1 h", "1 d"}


def test_rows_that_do_not_fit_are_set_aside_with_their_reason(
    plane: PortkeyServer, home: Path
) -> None:
    plane.lines = lines_of("log_export_malformed.jsonl")
    load_portkey(home, plane.url)
    assert sorted(ids(home)) == ["failed-no-units", "good-1", "good-2", "naive-time"]
    found = loaded(
        home,
        "cast(split_part(source_locator, ' line ', 2) as integer), column_name, reason",
        table=f"{LOGS}__rejected",
    )
    assert found == [
        (2, "req_units", "not_an_integer"),
        (3, "req_units", "not_an_integer"),
        (4, "cost", "not_an_amount"),
        (5, "cost", "not_an_amount"),
        (6, "cost", "not_an_amount"),
        (7, "res_units", "not_an_integer"),
        (8, "res_units", "negative"),
        (9, "req_units", "out_of_range"),
        (10, "id", "missing"),
        (11, "created_at", "not_a_time_with_zone"),
        (12, None, "outside_window"),
        (13, "req_units", "missing"),
        (15, None, "not_an_object"),
        (16, None, "not_an_object"),
    ]
    assert tied(home, table=LOGS) == (18, 4, 14)
    columns = rows_of(home, "select column_name from information_schema.columns")
    assert not [name for (name,) in columns if "__v_" in name]


def test_a_filter_that_is_ignored_passes_nothing(plane: PortkeyServer, home: Path) -> None:
    plane.lines = [row("other", "2026-10-01T00:00:00.000Z")]
    plane.ignores_filter = True
    load_portkey(home, plane.url, history=HOUR)
    assert ids(home) == []
    assert set(loaded(home, "reason", table=f"{LOGS}__rejected")) == {"outside_window"}


def test_a_broken_export_leaves_everything_as_it_was(plane: PortkeyServer, untouched: Path) -> None:
    plane.lines = [line.replace("T09:", "T11:") for line in lines_of("log_export.jsonl")]
    plane.rewrite = lambda body: body[: len(body) // 3]
    assert "is cut short" in refused(untouched, plane)


@pytest.mark.parametrize(
    ("path", "answer", "message"),
    [
        ("/analytics/graphs/cost", Answer({"data_points": []}), "without a total"),
        ("/api-keys", Answer({"data": [], "total": 3}), "ended after 0 of 3 keys"),
        ("/api-keys", Answer({"data": [{"id": "a"}], "total": 9}), "repeats the page before it"),
        ("/api-keys", Answer({}, status=403), "may list API keys"),
    ],
    ids=["no total", "short", "repeated", "no right"],
)
def test_a_broken_control_total_or_list_of_keys_leaves_everything_as_it_was(
    plane: PortkeyServer, untouched: Path, path: str, answer: Answer, message: str
) -> None:
    real = plane.script.answer
    plane.script.answer = lambda asked: answer if asked.path == path else real(asked)
    assert message in refused(untouched, plane)


def test_a_graph_of_other_days_fails_the_run(plane: PortkeyServer, untouched: Path) -> None:
    plane.graph = json.loads((PAGES / "analytics_graph_cost.json").read_text(encoding="utf-8"))
    plane.graph["data_points"][0]["timestamp"] = "2026-11-18T09:00:00.000Z"
    assert "its filter was ignored" in refused(untouched, plane)


def test_a_wrong_key_is_refused_at_once(plane: PortkeyServer, untouched: Path) -> None:
    message = refused(untouched, plane, api_key="pk-other")
    assert "answered 401: check that the key is valid" in message
    assert len(plane.script.asked) == 1


def test_too_many_requests_are_tried_again(plane: PortkeyServer, home: Path) -> None:
    plane.lines = lines_of("log_export.jsonl")
    plane.script.canned = [Answer(status=429, headers={"Retry-After": "0"}), Answer(status=503)]
    load_portkey(home, plane.url)
    assert tied(home, table=LOGS) == (6, 6, 0)


def test_days_are_restated_whole_and_keys_are_as_they_are_now(
    plane: PortkeyServer, home: Path
) -> None:
    key = json.loads((PAGES / "api_key.json").read_text(encoding="utf-8"))
    plane.lines, plane.keys = lines_of("log_export.jsonl"), [key, {**key, "id": "other"}]
    load_portkey(home, plane.url)
    plane.lines = lines_of("log_export_restated.jsonl")
    plane.keys = [{**key, "status": "active"}]
    load_portkey(home, plane.url, now=READ_AT + HOUR)
    totals = loaded(home, "window_key, total", table=COSTS)
    # 0.0384 + 1.566 + 0.0024 cents, then a hundredth of a cent more.
    assert totals == [
        ("2026-11-20T00:00:00.000Z", Decimal("1.6068")),
        ("2026-11-20T00:00:00.000Z", Decimal("1.6168")),
    ]
    assert sorted(loaded(home, "id, status", table=KEYS)) == [
        (key["id"], "active"), (key["id"], "exhausted"), ("other", "exhausted"),
    ]  # fmt: skip


def test_content_and_secrets_reach_no_file(plane: PortkeyServer, home: Path) -> None:
    canary = "canary-content-3c1d"
    key = json.loads((PAGES / "api_key.json").read_text(encoding="utf-8"))
    plane.keys = [{**key, "description": canary, "key": canary, "alert_emails": [canary]}]
    plane.lines = [
        row(
            "row", "2026-11-20T11:00:01.000Z", request={"body": canary}, response=canary,
            request_url=f"https://llm.example/v1/chat/completions?key={canary}", prompt=canary,
        ),
        row("bad", "2026-11-20T11:00:01.000Z", req_units=canary),
        canary,
    ]  # fmt: skip
    load_portkey(home, plane.url)
    assert tied(home, table=LOGS) == (3, 1, 2)
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert canary.encode() not in content, path
            assert API_KEY.encode() not in content, path


def test_the_whole_sandbox_is_loaded_and_ties_out(tmp_path: Path, home: Path) -> None:
    canary = "canary-content-b7a0"
    with Sandbox(home=tmp_path, as_of=READ_AT, events=200, days=3, canary=canary) as sandbox:
        known = sandbox.environment()
        url, key = known["PORTKEY_MAIN_BASE_URL"], known["PORTKEY_MAIN_API_KEY"]
        load_portkey(home, url, api_key=key, history=timedelta(days=4))
        late = {"minutes": 90, "fields": {"id": "late"}}
        requests.post(f"{sandbox.control_url}/portkey/late", json=late, timeout=10)
        load_portkey(home, url, api_key=key, now=READ_AT + HOUR)
        told = requests.get(sandbox.control_url, timeout=10).json()["portkey"]
    [[events, given, answered, cents]] = rows_of(
        home,
        f"""select count(*), sum(req_units), sum(res_units), sum(cost)
        from (select distinct id, req_units, res_units, cost from {LOGS})""",
    )
    assert (events, given, answered) == (
        told["events"], told["input_tokens"], told["output_tokens"],
    )  # fmt: skip
    assert cents * Decimal("0.01") == Decimal(told["cost_usd"])
    [[days]] = rows_of(
        home, f"select sum(newest) from (select max(total) as newest from {COSTS} group by day_at)"
    )
    assert abs(days - cents) < Decimal("1e-9")
    assert tied(home, table=KEYS) == (told["keys"], told["keys"], 0)
    assert "late" in ids(home)
    files = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert not [content for content in files if canary.encode() in content]
