"""Observations are read by cursor, whole or not at all, and twice without a trace."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from langfuse_project import (
    INSTANCE,
    SECRET_KEY,
    TABLE,
    V2,
    Project,
    langfuse_project,
    load_langfuse,
    observation,
)
from raw_loads import FIXTURES, NOW, cursor_of, loaded, refusal, rows_of, tied
from scripted_server import Answer, Asked

PAGES = FIXTURES / "langfuse"
HOUR = timedelta(hours=1)
CANARY = "CANARY-9b1c"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.http.BACKOFF_SECONDS", 0.001)


@pytest.fixture
def project() -> Iterator[Project]:
    """A project without observations."""
    with langfuse_project() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse nothing was loaded into."""
    return tmp_path / "home"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with one observation, shared by runs that must leave it as it is."""
    home = tmp_path_factory.mktemp("untouched")
    with langfuse_project(observation("a")) as project:
        load_langfuse(home, project.url)
    return home


def fixture_page(name: str) -> Any:
    return json.loads((PAGES / name).read_text(encoding="utf-8"))


def serve(*pages: Any) -> Callable[[Asked, Any], Any]:
    """These pages, one after the other by their cursors, for the day they are of."""

    def rewrite(asked: Asked, body: Any) -> Any:
        if asked.path != V2 or not asked.query["fromStartTime"].startswith("2026-11-20"):
            return body
        cursors = [None, *(page["meta"].get("cursor") for page in pages)]
        return pages[cursors.index(asked.query.get("cursor"))]

    return rewrite


def ids(home: Path) -> list[Any]:
    return loaded(home, "id", table=TABLE)


def state_of(home: Path) -> dict[str, Any]:
    return cursor_of(home, "langfuse", INSTANCE)


def refused(home: Path, project: Project, *, times: int = 1, **facts: Any) -> list[str]:
    """Why runs failed; the warehouse holds what it held, the cursor stands where it stood."""
    before = state_of(home), loaded(home, "id, row_hash", table=TABLE), tied(home, table=TABLE)
    said = []
    for _ in range(times):
        with pytest.raises(PipelineStepFailed) as failed:
            load_langfuse(home, project.url, **facts)
        assert SECRET_KEY not in str(failed.value)
        said.append(refusal(failed))
    after = state_of(home), loaded(home, "id, row_hash", table=TABLE), tied(home, table=TABLE)
    assert after == before
    return said


# Pages


def test_an_empty_project_makes_tables_and_moves_the_cursor(project: Project, home: Path) -> None:
    project.rewrite = serve(fixture_page("v2_observations_empty.json"))
    load_langfuse(home, project.url)
    assert tied(home, table=TABLE) == (0, 0, 0)
    assert state_of(home)["cursors"]["observations"] == "2026-11-23T08:00:00+00:00"


def test_two_pages_are_read_by_their_cursor_as_langfuse_told_them(
    project: Project, home: Path
) -> None:
    pages = [fixture_page(f"v2_observations_page{n}.json") for n in (1, 2)]
    project.rewrite = serve(*pages)
    load_langfuse(home, project.url)
    assert tied(home, table=TABLE) == (6, 6, 0)
    # 0.0007804 + 0.02835 + 0.00004096 + 0 + 0.006
    [[cost]] = rows_of(home, f"select sum(total_cost) from {TABLE}")
    assert cost == Decimal("0.03517136")
    second = [query for query in project.asked(V2) if "cursor" in query]
    assert [query["cursor"] for query in second] == [pages[0]["meta"]["cursor"]]
    assert second[0]["toStartTime"] == "2026-11-21T00:00:00.000Z"


def test_content_is_not_asked_for_and_the_range_ends_now(project: Project, home: Path) -> None:
    load_langfuse(home, project.url)
    queries = project.asked(V2)
    assert {query["fields"] for query in queries if "fields" in query} == {
        "core,basic,time,model,usage,metadata,trace_context"
    }
    assert all("litellm_call_id" in query["expandMetadata"] for query in queries[1:])
    assert {query["limit"] for query in queries[1:]} == {"1000"}
    # The day before the first is read for its trees; the last day ends at the run's now.
    ranges = [(query["fromStartTime"][:13], query["toStartTime"][:13]) for query in queries[1:]]
    assert ranges[0] == ("2026-11-18T00", "2026-11-19T00")
    assert ranges[-1] == ("2026-11-23T00", "2026-11-23T08")


def test_many_pages_are_read_to_the_last_row(project: Project, home: Path) -> None:
    project.page_rows = 7
    project.rows = [observation(f"o-{n:02}", at=f"2026-11-23T07:00:{n:02}Z") for n in range(50)]
    load_langfuse(home, project.url)
    assert ids(home) == [f"o-{n:02}" for n in range(50)]


def test_rows_inserted_while_paging_are_neither_lost_nor_doubled(
    project: Project, home: Path
) -> None:
    project.page_rows = 2
    project.rows = [observation(f"o-{n}", at=f"2026-11-23T07:00:0{n}Z") for n in range(6)]

    def insert(asked: Asked, body: Any) -> Any:
        if asked.path == V2 and "cursor" in asked.query and len(project.rows) == 6:
            project.rows += [
                observation("newer", at="2026-11-23T07:30:00Z"),
                observation("older", at="2026-11-23T07:00:00.500Z"),
            ]
        return body

    project.rewrite = insert
    load_langfuse(home, project.url)
    assert ids(home) == ["o-0", "o-1", "o-2", "o-3", "o-4", "o-5", "older"]
    load_langfuse(home, project.url)
    assert set(ids(home)) == {f"o-{n}" for n in range(6)} | {"newer", "older"}
    # The hour that changed is there twice, with the same hashes: staging keeps one of each.
    assert len(set(loaded(home, "id, row_hash", table=TABLE))) == 8


# Read again


def test_an_unchanged_project_appends_nothing(project: Project, home: Path) -> None:
    project.rows = [observation(f"o-{n}", at=f"2026-11-2{n}T07:00:00Z") for n in range(4)]
    for run in range(5):
        load_langfuse(home, project.url, now=NOW + run * HOUR, deep_reread=run == 4)
    assert tied(home, table=TABLE) == (4, 4, 0)


def test_a_restated_row_brings_its_hour_again_and_no_other(project: Project, home: Path) -> None:
    pages = [fixture_page(f"v2_observations_page{n}.json") for n in (1, 2)]
    project.rewrite = serve(*pages)
    load_langfuse(home, project.url)
    changed = {row["id"]: row for row in fixture_page("v2_observations_restated.json")["data"]}
    for page in pages:
        page["data"] = [changed.get(row["id"], row) for row in page["data"]]
    load_langfuse(home, project.url, deep_reread=True)
    # One observation of 09:59 and five of 10 o'clock, each changed in one row.
    assert tied(home, table=TABLE) == (12, 12, 0)
    newest = loaded(home, "id, quantity, updated_at::varchar", table=TABLE)
    assert [row[1] for row in newest if row[0] == "5d7091a2b3c4d5e6"] == [3, 5]
    del changed["5d7091a2b3c4d5e6"]
    pages[1]["data"][-1] |= {"totalCost": 0.02}
    load_langfuse(home, project.url, deep_reread=True)
    assert tied(home, table=TABLE) == (13, 13, 0)


def test_a_late_row_of_the_overlap_is_found_and_an_older_one_by_the_deep_read(
    project: Project, home: Path
) -> None:
    load_langfuse(home, project.url)
    project.rows = [
        observation("of yesterday", at="2026-11-22T01:00:00Z"),
        observation("of last week", at="2026-11-17T01:00:00Z"),
    ]
    load_langfuse(home, project.url, days=30)
    assert ids(home) == ["of yesterday"]
    load_langfuse(home, project.url, deep_reread=True, days=30)
    assert ids(home) == ["of last week", "of yesterday"]


def test_what_is_long_past_is_read_by_the_day_and_forgotten(project: Project, home: Path) -> None:
    project.rows = [
        observation("old", at="2026-10-20T01:00:00Z"),
        observation("old too", at="2026-10-20T23:59:59.999Z"),
        observation("new", at="2026-11-22T01:00:00Z"),
    ]
    load_langfuse(home, project.url, days=60)
    assert loaded(home, "rows_loaded_count", table=f"{TABLE}__reads") == [1, 2]
    assert list(state_of(home)["digests"]["observations"]) == ["2026-11-22T01"]


def test_a_parent_is_brought_again_once_usage_shows_below_it(project: Project, home: Path) -> None:
    project.rows = [observation("agent", at="2026-11-22T23:50:00Z", type="AGENT", name="planner")]
    load_langfuse(home, project.url)
    project.rows += [
        observation("step", at="2026-11-22T23:55:00Z", parentObservationId="agent",
                    usageDetails={}, totalCost=None, type="CHAIN"),
        observation("call", at="2026-11-23T00:05:00Z", parentObservationId="step"),
    ]  # fmt: skip
    load_langfuse(home, project.url)
    assert loaded(home, "id, has_usage_below, agent_name", table=TABLE) == [
        ("agent", False, "planner"),
        ("agent", True, "planner"),
        ("call", False, "planner"),
        ("step", True, "planner"),
    ]


# What does not fit


def test_rows_that_do_not_fit_are_rejected_with_a_reason(project: Project, home: Path) -> None:
    page = fixture_page("v2_observations_malformed.json")
    project.rewrite = serve(page)
    load_langfuse(home, project.url)
    assert tied(home, table=TABLE) == (20, 2, 18)
    assert ids(home) == ["good", "good with more"]
    rejected = rows_of(
        home,
        f"select source_locator, column_name, reason from {TABLE}__rejected",
    )
    told = {}
    for locator, column, reason in rejected:
        day, _, row = locator.partition(" page 1 row ")
        assert day == "v2 2026-11-20"
        record = page["data"][int(row) - 1]
        told[record["id"] if isinstance(record, dict) else "no object"] = (column, reason)
    assert told == {
        "input is a word": ("input_tokens", "not_an_integer"),
        "input is a grouped number": ("input_tokens", "not_an_integer"),
        "output is negative": ("output_tokens", "negative"),
        "cache read is broken": ("cache_read_tokens", "not_an_integer"),
        "input is a yes": ("input_tokens", "not_an_integer"),
        "input is beyond 64 bits": ("input_tokens", "out_of_range"),
        "usage is a list": ("usage_details", "not_text"),
        "quantity is a word": ("quantity", "not_an_amount"),
        "cost is a word": ("total_cost", "not_an_amount"),
        "cost is negative": ("total_cost", "negative"),
        "cost is a yes": ("total_cost", "not_an_amount"),
        "no start": ("start_time", "missing"),
        "start without a zone": ("start_time", "not_a_time_with_zone"),
        "no project": ("project_id", "missing"),
        "no type": ("type", "missing"),
        "": ("id", "missing"),
        "user is a number": ("user_id", "not_text"),
        "no object": (None, "not_an_object"),
    }
    # `prompt` is no field that is known; input is let go before anything is counted.
    assert sum(loaded(home, "unknown_fields_count", table=f"{TABLE}__reads")) == 1


def test_a_page_that_is_none_fails_the_run(project: Project, untouched: Path) -> None:
    bodies = {
        "": "a body that is not JSON",
        "<html>502 Bad Gateway</html>": "a body that is not JSON",
        '{"data": [{"id": "a", "star': "a body that is not JSON",
        '{"message": "Internal Server Error", "error": "x"}': "without a list of rows",
        "[]": "without a list of rows",
        '{"data": []}': "without saying where the page ends",
        '{"data": [], "meta": {"cursor": "more"}}': "is empty and names a next one",
        '{"data": [{"id": "a"}], "meta": {"cursor": 7}}': "is empty and names a next one",
    }
    # A good day comes first: what was read of it is not loaded either.
    project.rows = [observation("b", at="2026-11-21T07:00:00Z")]
    left = iter(bodies)

    def rewrite(asked: Asked, page: Any) -> Any:
        is_page = asked.query.get("limit") == "1000"
        is_of_day = asked.query.get("fromStartTime", "") > "2026-11-22"
        return Answer(next(left)) if is_page and is_of_day else page

    project.rewrite = rewrite
    said = refused(untouched, project, times=len(bodies))
    for expected, message in zip(bodies.values(), said, strict=True):
        assert expected in message


def test_pages_that_go_round_in_circles_fail_the_run(project: Project, untouched: Path) -> None:
    pages = [
        {"data": [{"id": "x"}], "meta": {"cursor": "c"}},
        {"data": [{"id": "y"}], "meta": {"cursor": "c"}},
        {"data": [{"id": "x"}], "meta": {"cursor": "c"}},
        {"data": [{"id": "x"}], "meta": {"cursor": "d"}},
    ]

    def rewrite(asked: Asked, page: Any) -> Any:
        is_of_day = asked.query.get("fromStartTime", "").startswith("2026-11-21")
        return pages.pop(0) if asked.path == V2 and is_of_day else page

    project.rewrite = rewrite
    first, second = refused(untouched, project, times=2)
    assert first == "langfuse: page 2 of 2026-11-21 names a cursor for a second time"
    assert second == "langfuse: page 2 of 2026-11-21 repeats rows of pages before it"


def test_paging_without_an_end_fails_the_run(
    project: Project, untouched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.langfuse_api.MAX_PAGES", 3)
    project.page_rows = 1
    project.rows = [observation(f"o-{n}", at=f"2026-11-22T07:00:0{n}Z") for n in range(5)]
    assert refused(untouched, project) == ["langfuse: 2026-11-22 does not end after 3 pages"]


def test_wrong_keys_fail_at_once_and_say_which_are_needed(
    project: Project, untouched: Path
) -> None:
    [said] = refused(untouched, project, public_key="pk-lf-other")
    assert "answered 401: the key pair of a project of this host is needed" in said
    assert len(project.asked(V2)) == 1


def test_a_rate_limit_is_waited_for(project: Project, home: Path) -> None:
    told = fixture_page("error_429.json")
    headers = told["_http"]["headers"] | {"Retry-After": "0"}
    assert project.server is not None
    project.server.canned = [Answer({"message": told["message"]}, status=429, headers=headers)] * 2
    project.rows = [observation("a")]
    load_langfuse(home, project.url)
    assert ids(home) == ["a"]


# Content


def test_no_word_of_content_is_written(project: Project, home: Path) -> None:
    project.rows = [
        observation(
            "a", input=CANARY, output=CANARY, statusMessage=CANARY, prompt=CANARY,
            modelParameters={"stop": CANARY}, metadata={"messages": CANARY, "team": "core"},
            usageDetails={"input": 1, "note": CANARY}, name=CANARY,
        ),
        observation("b", metadata=CANARY, tags=[CANARY * 40], costDetails={"total": CANARY}),
    ]  # fmt: skip
    load_langfuse(home, project.url)
    # A usage map with a word in it is rejected, and a reason is kept of it, not the word.
    assert tied(home, table=TABLE) == (2, 1, 1)
    written = [path for path in home.rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []
    tables = rows_of(home, f"select * from {TABLE}") + rows_of(
        home, f"select * from {TABLE}__rejected"
    )
    assert CANARY not in repr(tables)
