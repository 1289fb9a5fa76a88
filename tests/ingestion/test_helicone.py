"""Helicone's requests are read in closed slices of time, whole or not at all, and twice without a
trace."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from dlt.pipeline.exceptions import PipelineStepFailed
from helicone_server import (
    API_KEY,
    HELICONE,
    PAGES,
    READ_AT,
    HeliconeServer,
    helicone_server,
    load_helicone,
    request,
    rows_of_page,
)
from raw_loads import cursor_of, loaded, refusal, rows_of, tied
from scripted_server import Answer

from ingestion.helicone import Pace, Reader, Span
from ingestion.http import SourceError, json_client
from sandbox.server import Sandbox

REQUESTS = "raw_helicone.requests"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.http.BACKOFF_SECONDS", 0.001)


@pytest.fixture
def log() -> Iterator[HeliconeServer]:
    """A Helicone with nothing logged."""
    with helicone_server() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse nothing was loaded into."""
    return tmp_path / "home"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with one row, shared by runs that must leave it as it is."""
    home = tmp_path_factory.mktemp("untouched")
    with helicone_server([request("first")]) as log:
        load_helicone(home, log.url)
    return home


def ids(home: Path) -> list[Any]:
    return sorted(loaded(home, "request_id", table=REQUESTS))


def kept(home: Path) -> list[Any]:
    """The rows of every table, and the state that was committed with them."""
    tables = [
        REQUESTS,
        f"{REQUESTS}__rejected",
        f"{REQUESTS}__reads",
        "raw_helicone._dlt_pipeline_state",
    ]
    union = " union all ".join(f"select '{name}', count(*) from {name}" for name in tables)
    return rows_of(home, f"select * from ({union}) order by all")


def refused(home: Path, log: HeliconeServer, **facts: Any) -> str:
    """Why the run failed; the warehouse holds what it held, the cursor stands where it stood."""
    before = kept(home)
    with pytest.raises(PipelineStepFailed) as failed:
        load_helicone(home, log.url, now=READ_AT + HOUR, **facts)
    assert API_KEY not in str(failed.value)
    assert kept(home) == before
    return refusal(failed)


def read(log: HeliconeServer) -> list[Any]:
    """The rows of the six hours up to noon."""
    headers = {"Authorization": f"Bearer {API_KEY}"}
    reader = Reader(json_client(log.url, headers=headers, backoff_seconds=0.001), READ_AT)
    noon = READ_AT.replace(minute=0, second=0)
    windows = reader.windows(Span(noon - 6 * HOUR, noon))
    return [row for window in windows for _, row in window.records()]


def refused_slice(log: HeliconeServer) -> str:
    """Why the six hours up to noon could not be read."""
    with pytest.raises(SourceError) as failed:
        read(log)
    assert API_KEY not in str(failed.value)
    return str(failed.value)


def test_an_empty_log_makes_tables_and_moves_the_cursor(log: HeliconeServer, home: Path) -> None:
    log.rows = rows_of_page("query_clickhouse_empty.json")
    load_helicone(home, log.url)
    assert tied(home, table=REQUESTS) == (0, 0, 0)
    # From 02:00:30, so from midnight, in six hours each; closed at now.
    assert log.slices() == [
        ("2026-11-20T00:00:00.000Z", "2026-11-20T06:00:00.000Z", 0),
        ("2026-11-20T06:00:00.000Z", "2026-11-20T12:00:00.000Z", 0),
        ("2026-11-20T12:00:00.000Z", "2026-11-20T12:00:30.000Z", 0),
    ]
    assert cursor_of(home, "helicone", HELICONE)["cursor"] == "2026-11-20T12:00:30+00:00"


def test_the_query_is_the_vendors_own(log: HeliconeServer, home: Path) -> None:
    load_helicone(home, log.url)
    asked = json.loads((PAGES / "query_clickhouse_request.json").read_text(encoding="utf-8"))
    sent = log.script.asked[0].json()
    for body in (asked, sent):
        body["filter"]["left"] = body["filter"]["right"] = "a bound of request_created_at"
    assert sent == asked


def test_a_page_is_read_as_it_was_logged(log: HeliconeServer, home: Path) -> None:
    log.rows = rows_of_page("query_clickhouse_page1.json")
    load_helicone(home, log.url)
    assert tied(home, table=REQUESTS) == (5, 5, 0)
    costs = loaded(home, "request_created_at, cost", table=REQUESTS)
    assert [cost for _, cost in costs] == [Decimal("0.000678"), Decimal("0.02835"), 0, 0, 0]


def test_a_full_slice_is_halved(log: HeliconeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.helicone.PAGE_ROWS", 3)
    # At 10:10, 10:20 to 10:50.
    log.rows = rows_of_page("query_clickhouse_two_pages.json")
    assert [row["request_id"] for row in read(log)] == [f"page-{number}" for number in range(1, 6)]
    # 06:00 to 12:00 is full, and so are 09:00 to 12:00 and, with all five rows, 09:00 to 10:30
    # (two) and 10:30 to 12:00 (three), which is halved once more at 11:15.
    halves = [(first[11:16], end[11:16]) for first, end, _ in log.slices()]
    assert halves == [
        ("06:00", "12:00"), ("06:00", "09:00"), ("09:00", "12:00"), ("09:00", "10:30"),
        ("10:30", "12:00"), ("10:30", "11:15"), ("10:30", "10:52"), ("10:30", "10:41"),
        ("10:41", "10:52"), ("10:52", "11:15"), ("11:15", "12:00"),
    ]  # fmt: skip


def test_a_millisecond_over_the_cap_is_paged(
    log: HeliconeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.helicone.PAGE_ROWS", 2)
    log.rows = [request(f"row-{number}") for number in range(5)]
    assert [row["request_id"] for row in read(log)] == [f"row-{number}" for number in range(5)]
    assert {offset for _, _, offset in log.slices()} == {0, 2, 4}


def test_rows_inserted_while_slices_are_read_are_neither_lost_nor_doubled(
    log: HeliconeServer, home: Path
) -> None:
    log.rows = [request("before")]
    log.late = [
        request("still to come", "2026-11-20T07:00:00.000Z"),
        request("passed by", "2026-11-20T01:00:00.000Z"),
        request("after now", "2026-11-20T12:00:40.000Z"),
    ]
    load_helicone(home, log.url)
    assert ids(home) == ["before", "still to come"]
    load_helicone(home, log.url, now=READ_AT + timedelta(minutes=1))
    assert ids(home) == ["after now", "before", "passed by", "still to come"]


def test_all_of_the_history_is_one_slice_while_it_fits(log: HeliconeServer, home: Path) -> None:
    log.rows = [request("old", "2025-01-01T00:00:00.000Z")]
    load_helicone(home, log.url, history=1_000 * DAY)
    assert ids(home) == ["old"]
    # The week, and the six hours before it, up to the thirteenth at 06:00.
    first, *rest = log.slices()
    assert first == ("2024-02-24T12:00:00.000Z", "2026-11-13T06:00:00.000Z", 0)
    assert len(rest) == 4 * 7 + 2
    # What is not read again is not remembered.
    digests = cursor_of(home, "helicone", HELICONE)["digests"]["requests"]
    assert len(digests) == 30


def test_an_unchanged_log_appends_nothing(log: HeliconeServer, home: Path) -> None:
    log.rows = rows_of_page("query_clickhouse_page1.json")
    for deep in (False, True, False, False, True):
        load_helicone(home, log.url, deep_reread=deep)
    assert tied(home, table=REQUESTS) == (5, 5, 0)


def test_a_restated_request_is_appended_as_a_richer_version(
    log: HeliconeServer, home: Path
) -> None:
    log.rows = rows_of_page("query_clickhouse_page1.json")
    load_helicone(home, log.url)
    log.rows = rows_of_page("query_clickhouse_restated.json")
    load_helicone(home, log.url, now=READ_AT + HOUR)
    versions = loaded(home, "richness, request_id, cost, properties", table=REQUESTS)
    found = [row for row in versions if row[1].endswith("001")]
    assert [cost for _, _, cost, _ in found] == [Decimal("0.000678"), Decimal("0.00068")]
    # From 10:00:03 to 12:00:00.
    assert found[1][0] - found[0][0] == 7_197_000
    assert '"team":"search"' in found[1][3]


def test_a_late_row_is_found_within_the_overlap_and_a_later_one_by_the_deep_read(
    log: HeliconeServer, home: Path
) -> None:
    load_helicone(home, log.url)
    log.rows = [
        request("23 h", "2026-11-19T13:00:00.000Z"),
        request("6 d", "2026-11-14T12:00:00.000Z"),
        request("8 d", "2026-11-12T11:00:00.000Z"),
    ]
    load_helicone(home, log.url, now=READ_AT + timedelta(minutes=5), history=30 * DAY)
    assert ids(home) == ["23 h"]
    load_helicone(home, log.url, now=READ_AT + HOUR, deep_reread=True, history=30 * DAY)
    assert ids(home) == ["23 h", "6 d"]


def test_rows_that_vanish_stay(log: HeliconeServer, home: Path) -> None:
    log.rows = [request("once")]
    load_helicone(home, log.url)
    log.rows = []
    load_helicone(home, log.url, now=READ_AT + HOUR)
    assert ids(home) == ["once"]


def test_rows_that_do_not_fit_are_set_aside_with_their_reason(
    log: HeliconeServer, home: Path
) -> None:
    log.rows = rows_of_page("query_clickhouse_malformed.json")
    load_helicone(home, log.url)
    assert ids(home) == ["cancelled", "good-1", "naive-time", "text-counts"]
    found = loaded(home, "column_name, reason", table=f"{REQUESTS}__rejected")
    assert sorted(found, key=str) == [
        ("completion_tokens", "negative"),
        ("completion_tokens", "not_an_integer"),
        ("cost", "negative"),
        ("cost", "not_an_amount"),
        ("cost", "not_an_amount"),
        ("cost", "out_of_range"),
        ("prompt_tokens", "not_an_integer"),
        ("prompt_tokens", "not_an_integer"),
        ("prompt_tokens", "out_of_range"),
        ("request_created_at", "not_a_time_with_zone"),
        ("request_id", "missing"),
        (None, "not_an_object"),
        (None, "outside_window"),
    ]
    assert tied(home, table=REQUESTS) == (17, 4, 13)
    columns = rows_of(home, "select column_name from information_schema.columns")
    assert not [name for (name,) in columns if "__v_" in name]


def test_a_filter_that_is_ignored_passes_nothing(log: HeliconeServer, home: Path) -> None:
    log.rows, log.ignores_filter = [request("other", "2026-10-01T00:00:00.000Z")], True
    load_helicone(home, log.url)
    assert ids(home) == []
    assert set(loaded(home, "reason", table=f"{REQUESTS}__rejected")) == {"outside_window"}


def test_full_pages_of_an_ignored_filter_are_an_error(
    log: HeliconeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.helicone.PAGE_ROWS", 2)
    log.ignores_filter = True
    log.rows = [request(f"row-{n}", "2026-10-01T00:00:00.000Z") for n in range(5)]
    assert "filter ignored" in refused_slice(log)


def test_a_repeated_page_is_an_error(log: HeliconeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.helicone.PAGE_ROWS", 1)
    page = {"data": [request("row")], "error": None}
    real = log.script.answer

    def answer(asked: Any) -> Answer:
        return Answer(page) if asked.json()["offset"] else real(asked)

    log.rows = [request("row")]
    log.script.answer = answer
    assert "repeats page 0" in refused_slice(log)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer({"data": None, "error": "invalid limit"}), "answered 200 with an error"),
        (Answer({"data": None, "error": None}), "answered without a page of rows"),
        (Answer([]), "answered 200 with an error"),
        (Answer("<html>signed out</html>"), "a body that is not JSON"),
        (Answer('{"data": [{"request_id"'), "a body that is not JSON"),
        (Answer(""), "a body that is not JSON"),
        (Answer({"error": "Unauthorized"}, status=403), "answered 403: check that the key"),
        (
            Answer({"data": [{"request_id": "a", "request_created_at": "b"}], "error": None}),
            "no row has prompt_tokens any more",
        ),
    ],
    ids=["error", "null", "list", "html", "cut", "empty", "forbidden", "lost"],
)
def test_an_answer_of_another_shape_is_an_error(
    log: HeliconeServer, answer: Answer, message: str
) -> None:
    log.script.answer = lambda asked: answer
    assert message in refused_slice(log)


def test_an_error_inside_a_200_leaves_everything_as_it_was(
    log: HeliconeServer, untouched: Path
) -> None:
    log.script.answer = lambda asked: Answer({"data": None, "error": "invalid limit"})
    assert "answered 200 with an error" in refused(untouched, log)


def test_a_wrong_key_is_refused_at_once(log: HeliconeServer, untouched: Path) -> None:
    assert "answered 401: check that the key" in refused(untouched, log, api_key="sk-other")
    assert len(log.script.asked) == 1


def test_too_many_requests_are_tried_again(log: HeliconeServer, home: Path) -> None:
    log.rows = [request("row")]
    log.script.canned = [Answer(status=429, headers={"Retry-After": "0"}), Answer(status=503)]
    load_helicone(home, log.url)
    assert ids(home) == ["row"]


def test_no_more_requests_are_made_than_the_pace_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.helicone.PACE_REQUESTS", 4)
    slept: list[float] = []
    pace = Pace(clock=lambda: sum(slept), sleep=slept.append)
    for _ in range(9):
        pace.keep()
    # Four at once, four half a minute later, and the ninth after another half.
    assert slept == [30, 0, 0, 0, 30]


def test_content_and_secrets_reach_no_file(log: HeliconeServer, home: Path) -> None:
    canary = "canary-content-8e2f"
    content = {
        "request_body": {"messages": [canary]}, "response_body": canary, "prompt": canary,
        "signed_body_url": f"https://s3.example/{canary}", "request_referrer": canary,
        "target_url": f"https://llm.example/v1/chat/completions?key={canary}",
        "properties": {"note": canary * 20},
    }  # fmt: skip
    log.rows = [request("good", **content), request("bad", **content, cost=canary)]
    load_helicone(home, log.url)
    assert tied(home, table=REQUESTS) == (2, 1, 1)
    for path in home.rglob("*"):
        if path.is_file():
            found = path.read_bytes()
            assert canary.encode() not in found, path
            assert API_KEY.encode() not in found, path


def test_the_whole_sandbox_is_loaded_and_ties_out(tmp_path: Path, home: Path) -> None:
    canary = "canary-content-04fe"
    with Sandbox(home=tmp_path, as_of=READ_AT, events=200, days=15, canary=canary) as sandbox:
        known = sandbox.environment()
        url, key = known["HELICONE_MAIN_BASE_URL"], known["HELICONE_MAIN_API_KEY"]
        change = f"{sandbox.control_url}/helicone/requests"
        requests.post(change, json={"id": "late", "minutes": 9_000}, timeout=10)
        load_helicone(home, url, api_key=key, history=30 * DAY)
        requests.post(change, json={"id": "late", "fields": {"cost": 0.5}}, timeout=10)
        load_helicone(
            home, url, api_key=key, now=READ_AT + HOUR, deep_reread=True, history=30 * DAY
        )
        told = requests.get(sandbox.control_url, timeout=10).json()["helicone"]
    found = rows_of(
        home,
        f"""select count(*), sum(prompt_tokens), sum(completion_tokens), sum(cost)
        from (
            select *, row_number() over (
                partition by request_id order by richness desc, _dlt_load_id desc
            ) as newest from {REQUESTS}
        ) where newest = 1""",
    )
    assert found == [
        (
            told["events"], told["prompt_tokens"], told["completion_tokens"],
            Decimal(told["cost_usd"]),
        )
    ]  # fmt: skip
    files = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert not [content for content in files if canary.encode() in content]
