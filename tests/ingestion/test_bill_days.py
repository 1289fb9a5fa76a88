"""Which days of a bill are read, and what pages of buckets are refused."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from bill_loads import openai_bucket, openai_page
from scripted_server import Answer, ScriptedServer, scripted_server

from ingestion.bill_days import bucket_rows, days_between, first_day
from ingestion.http import SourceError, json_client
from ingestion.times import epoch_text

FIRST, SECOND, THIRD = (date(2026, 10, n) for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("now", "cursor", "deep", "expected"),
    [
        pytest.param("2026-11-23", None, False, "2026-05-27", id="first: 180 days"),
        pytest.param("2026-11-23", "2026-11-22", False, "2026-11-15", id="overlap of a week"),
        pytest.param("2026-11-23", "2026-11-02", False, "2026-10-26", id="after an outage"),
        pytest.param("2026-11-23", "2026-11-22", True, "2026-10-19", id="deep: 35 days"),
        pytest.param("2026-12-05", "2026-12-04", False, "2026-11-01", id="month closing"),
        pytest.param("2026-12-06", "2026-12-05", False, "2026-11-28", id="month closed"),
        pytest.param("2027-01-03", "2027-01-02", False, "2026-12-01", id="year closing"),
        pytest.param("2026-11-23", "2026-01-01", False, "2026-05-27", id="no further than that"),
    ],
)
def test_days_are_read_again_while_they_may_be_restated(
    now: str, cursor: str | None, deep: bool, expected: str
) -> None:
    found = first_day(
        now=datetime.fromisoformat(now).replace(hour=6, tzinfo=UTC),
        cursor=cursor,
        deep_reread=deep,
        history=timedelta(days=180),
    )
    assert found.isoformat() == expected


def test_a_day_that_is_not_over_is_not_read() -> None:
    assert days_between(FIRST, THIRD) == [FIRST, SECOND]
    assert days_between(FIRST, FIRST) == []


def read(server: ScriptedServer) -> list[tuple[date, str, Any]]:
    client = json_client(server.url, headers={"Authorization": "Bearer secret-key"})
    found = bucket_rows(
        client,
        "/costs",
        system="openai_bill",
        params={"limit": 2},
        days=[FIRST, SECOND, THIRD],
        start_of=lambda bucket: epoch_text(bucket.get("start_time")),
        refused="what is missing",
    )
    return [(day, place, result) for day, place, _, result in found]


def test_pages_are_read_to_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.http.BACKOFF_SECONDS", 0.001)
    pages = {
        None: openai_page(
            [openai_bucket(FIRST, [{"n": 1}, {"n": 2}]), openai_bucket(SECOND, [])], next_page="b"
        ),
        "b": openai_page([openai_bucket(THIRD, [{"n": 3}])]),
    }
    with scripted_server(lambda asked: Answer(pages[asked.query.get("page")])) as server:
        server.canned = [Answer(status=429, headers={"Retry-After": "0"}), Answer(status=503)]
        assert read(server) == [
            (FIRST, "/costs 2026-10-01 page 1 row 1", {"n": 1}),
            (FIRST, "/costs 2026-10-01 page 1 row 2", {"n": 2}),
            (THIRD, "/costs 2026-10-03 page 2 row 1", {"n": 3}),
        ]
        assert len(server.asked) == 4


BUCKET = openai_bucket(FIRST, [])
NOON = {**BUCKET, "start_time": BUCKET["start_time"] + 43_200}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param(
            [openai_page([BUCKET], next_page="b"), openai_page([], next_page="b")],
            "repeats a page cursor",
            id="repeated cursor",
        ),
        pytest.param(
            [openai_page([BUCKET], next_page="b"), openai_page([BUCKET])],
            "answered 2026-10-01, which is not the day asked",
            id="repeated day",
        ),
        pytest.param(
            [openai_page([openai_bucket(date(2026, 9, 30), [])])],
            "answered 2026-09-30, which is not the day asked",
            id="a day nobody asked for",
        ),
        pytest.param(
            [{**openai_page([]), "has_more": True}],
            "says there is more and names no page",
            id="no cursor",
        ),
        pytest.param([{"error": "later"}], "200 without a page of buckets", id="200 with an error"),
        pytest.param([[]], "200 without a page of buckets", id="a list"),
        pytest.param([openai_page(["x"])], "a bucket without a start", id="no bucket"),
        pytest.param([openai_page([NOON])], "a bucket without a start", id="starts at noon"),
        pytest.param(
            [openai_page([{**BUCKET, "results": None}])],
            "a bucket without a start",
            id="no results",
        ),
        pytest.param(["<html>"], "answered 200 with a body that is not JSON", id="HTML"),
        pytest.param(['{"data": [{"st'], "with a body that is not JSON", id="truncated"),
        pytest.param([""], "with a body that is not JSON", id="empty"),
    ],
)
def test_what_is_no_whole_answer_is_refused(answers: list[Any], expected: str) -> None:
    def answer() -> Callable[..., Answer]:
        left = list(answers)
        return lambda asked: Answer(left.pop(0))

    with scripted_server(answer()) as server, pytest.raises(SourceError) as refused:
        read(server)
    assert expected in str(refused.value)
    assert "secret-key" not in str(refused.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_fails_at_once_and_says_what_is_missing(status: int) -> None:
    with scripted_server(lambda asked: Answer({"error": {}}, status=status)) as server:
        with pytest.raises(SourceError) as refused:
            read(server)
        assert len(server.asked) == 1
    assert str(refused.value) == (
        f"openai_bill: GET 127.0.0.1/costs answered {status}: what is missing"
    )
    assert refused.value.status == status
