"""The spend log: windows and pages over the world and the rows added to it; the row's shape."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.spend_logs import SpendLog
from sandbox.spend_rows import COLUMNS, iso_time, spend_row
from sandbox.state import State
from sandbox.world import World, build_world

AS_OF = datetime(2026, 11, 23, 18, tzinfo=UTC)
ALL_TIME = {"from_ms": 0, "to_ms": 2**62}


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=7, as_of=AS_OF, events=1_500, days=5)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State(tmp_path / "state.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def log(world: World, state: State) -> SpendLog:
    return SpendLog(world, state=state, canary="")


def ids_in_pages(log: SpendLog, *, size: int, is_descending: bool) -> list[str]:
    ids: list[str] = []
    while True:
        page = log.page(**ALL_TIME, offset=len(ids), limit=size, is_descending=is_descending)
        if not page.rows:
            return ids
        ids += [row["request_id"] for row in page.rows]


def added_row(number: int, *, at: str) -> dict[str, Any]:
    return {"request_id": f"added-{number}", "startTime": at, "spend": 0.5}


def test_pages_hold_every_row_once_in_either_order(log: SpendLog, world: World) -> None:
    ascending = ids_in_pages(log, size=97, is_descending=False)

    assert ascending == world.litellm.column("request_id").to_pylist()
    assert ids_in_pages(log, size=97, is_descending=True) == ascending[::-1]


def test_added_rows_stand_among_the_others_by_start_time(log: SpendLog, world: World) -> None:
    first = iso_time(world.litellm.column("start_ms")[0].as_py())
    log.add(
        [
            added_row(1, at="2020-01-01T00:00:00+00:00"),
            added_row(2, at=first),
            added_row(3, at="2026-11-21T12:00:00.500+00:00"),
            added_row(4, at="2026-11-23T18:30:00+00:00"),
        ]
    )

    ascending = ids_in_pages(log, size=10, is_descending=False)
    page = log.page(**ALL_TIME, offset=0, limit=10_000, is_descending=False)
    starts = [row["startTime"] for row in page.rows]

    assert ascending == [row["request_id"] for row in page.rows]
    assert ids_in_pages(log, size=10, is_descending=True) == ascending[::-1]
    assert len(ascending) == page.total == world.litellm.num_rows + 4
    assert starts == sorted(starts)
    assert (ascending[0], ascending[2], ascending[-1]) == ("added-1", "added-2", "added-4")


def test_a_row_is_added_once(log: SpendLog) -> None:
    row = added_row(1, at="2026-11-21T12:00:00+00:00")

    assert log.add([row, row]) == [row]
    assert log.add([row]) == []


def test_a_row_whose_start_cannot_be_read_stands_at_the_end_of_time(log: SpendLog) -> None:
    log.add([added_row(1, at="yesterday")])

    page = log.page(**ALL_TIME, offset=0, limit=1, is_descending=True)
    assert page.rows[0]["request_id"] == "added-1"


def test_a_page_beyond_the_last_is_empty(log: SpendLog) -> None:
    for is_descending in (True, False):
        page = log.page(**ALL_TIME, offset=9_999, limit=10, is_descending=is_descending)
        assert page.rows == []


def test_a_row_has_the_columns_of_the_real_proxy(log: SpendLog) -> None:
    fixture = Path(__file__).parents[1] / "fixtures" / "litellm" / "spend_logs_v2_page1.json"
    row = log.page(**ALL_TIME, offset=0, limit=1, is_descending=False).rows[0]

    assert tuple(row) == COLUMNS
    assert len(COLUMNS) == 30
    if fixture.is_file():
        real = json.loads(fixture.read_text(encoding="utf-8"))["data"][0]
        assert set(row) == set(real)
        assert set(row["metadata"]) <= set(real["metadata"])


def test_usage_is_told_inclusive_with_cache_and_reasoning_inside(world: World) -> None:
    call = {
        **world.litellm.slice(0, 1).to_pylist()[0],
        "status": "success",
        "provider": "anthropic",
        "prompt_tokens": 9_620,
        "completion_tokens": 410,
        "total_tokens": 10_030,
        "cache_read_tokens": 8_000,
        "cache_write_5m_tokens": 1_000,
        "cache_write_1h_tokens": 500,
        "reasoning_tokens": 128,
    }

    usage = spend_row(call, canary="")["metadata"]["usage_object"]

    assert usage["prompt_tokens_details"] == {
        "cached_tokens": 8_000,
        "text_tokens": 120,
        "audio_tokens": None,
        "image_tokens": None,
        "cache_creation_tokens": 1_500,
        "cache_write_tokens": 1_500,
        "cache_creation_token_details": {
            "ephemeral_5m_input_tokens": 1_000,
            "ephemeral_1h_input_tokens": 500,
        },
    }
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 128
    assert usage["completion_tokens_details"]["text_tokens"] == 282


def test_a_cache_hit_costs_nothing_but_keeps_its_tokens_and_breakdown(log: SpendLog) -> None:
    page = log.page(**ALL_TIME, offset=0, limit=10_000, is_descending=False)
    hit = next(row for row in page.rows if row["cache_hit"] == "True")

    assert hit["spend"] == 0
    assert hit["total_tokens"] == hit["prompt_tokens"] + hit["completion_tokens"] > 0
    assert "_cache_hit" in hit["request_id"]


def test_a_failure_names_its_error_and_no_usage(log: SpendLog) -> None:
    page = log.page(**ALL_TIME, offset=0, limit=10_000, is_descending=False)
    failure = next(row for row in page.rows if row["status"] == "failure")

    assert failure["spend"] == 0
    assert failure["request_id"] == failure["litellm_call_id"]
    assert failure["metadata"]["usage_object"] == {}
    assert failure["metadata"]["error_information"]["error_code"] in {"400", "408", "429", "500"}


def test_the_canary_stands_only_where_a_real_proxy_may_keep_content(
    world: World, state: State
) -> None:
    log = SpendLog(world, state=state, canary="canary-1f0c")
    page = log.page(**ALL_TIME, offset=0, limit=50, is_descending=False)

    for row in page.rows:
        outside = {name: value for name, value in row.items() if name != "metadata"}
        assert "canary-1f0c" in json.dumps(row["metadata"])
        assert "canary-1f0c" not in json.dumps(outside)


def test_times_are_written_in_milliseconds() -> None:
    # 1,795,418,023 seconds after 1970 is 2026-11-23 07:13:43.
    assert iso_time(1_795_418_023_351) == "2026-11-23T07:13:43.351+00:00"
    assert iso_time(1_795_418_023_000) == "2026-11-23T07:13:43.000+00:00"
