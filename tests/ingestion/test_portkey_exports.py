"""One window of Portkey's log becomes exports that fit, whole or not at all."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from portkey_server import API_KEY, PAGES, READ_AT, PortkeyServer, lines_of, portkey_server, row
from scripted_server import Answer

from ingestion.http import SourceError, json_client
from ingestion.portkey_exports import ExportPlace, export_windows
from ingestion.windows import Window

NINE = READ_AT.replace(hour=9, minute=0, second=0)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.portkey_exports.POLL_SECONDS", 0.001)


@pytest.fixture
def plane() -> Iterator[PortkeyServer]:
    """A control plane with nothing logged."""
    with portkey_server() as running:
        yield running


def read(plane: PortkeyServer) -> list[tuple[str, Any]]:
    """Where each row of the hour from nine stands, and the row."""
    client = json_client(plane.url, headers={"x-portkey-api-key": API_KEY}, backoff_seconds=0.001)
    place = ExportPlace(client, "ws-main", None, "cents")
    windows = export_windows(place, Window(NINE, NINE + timedelta(hours=1)))
    return [record for window in windows for record in window.records()]


def refused(plane: PortkeyServer) -> str:
    """Why the hour could not be read."""
    with pytest.raises(SourceError) as failed:
        read(plane)
    assert API_KEY not in str(failed.value)
    return str(failed.value)


def ids(plane: PortkeyServer) -> list[str]:
    return sorted(record["id"] for _, record in read(plane))


def test_a_window_over_the_cap_is_halved(
    plane: PortkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.portkey_exports.PAGE_ROWS", 4)
    plane.cap = 4
    # At 09:01 to 09:05.
    plane.lines = lines_of("log_export_two_pages.jsonl")
    assert ids(plane) == [f"page-{number}" for number in range(1, 6)]
    assert plane.exports() == [
        # 09:00 to 10:00 is full, and so are its halves down to 7:30 minutes.
        ("2026-11-20T09:00:00.000Z", "2026-11-20T09:03:45.000Z", 0),
        ("2026-11-20T09:03:45.000Z", "2026-11-20T09:07:30.000Z", 0),
    ]


def test_a_second_over_the_cap_is_paged(
    plane: PortkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.portkey_exports.PAGE_ROWS", 2)
    plane.cap = 2
    plane.lines = [row(f"row-{n}", f"2026-11-20T09:00:00.{n}00Z") for n in range(1, 6)]
    assert ids(plane) == [f"row-{number}" for number in range(1, 6)]
    assert [page for _, _, page in plane.exports()] == [0, 1, 2]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (lambda body: body[: len(body) // 3], "is cut short or no JSON lines"),
        (lambda body: "<html>signed in?</html>", "is cut short or no JSON lines"),
        (lambda body: body.splitlines()[0] + "\n", "holds 1 of 6 rows"),
        (lambda body: "", "holds 0 of 6 rows"),
    ],
    ids=["cut", "html", "short", "empty"],
)
def test_a_download_that_is_not_whole_is_an_error(
    plane: PortkeyServer, body: Any, message: str
) -> None:
    plane.lines, plane.rewrite = lines_of("log_export.jsonl"), body
    assert message in refused(plane)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer({"error": "busy"}), "without an export and its total"),
        (Answer("<html>"), "a body that is not JSON"),
        (Answer('{"id": "9'), "a body that is not JSON"),
        (Answer({}, status=403), "has the scope logs.export"),
    ],
    ids=["error", "html", "cut", "forbidden"],
)
def test_a_job_of_another_shape_is_an_error(
    plane: PortkeyServer, answer: Answer, message: str
) -> None:
    plane.script.answer = lambda asked: answer
    assert message in refused(plane)


@pytest.mark.parametrize("status", ["failed", "failure", "stopped", "paused", "in_progress"])
def test_a_job_that_fails_or_does_not_end_is_an_error(
    plane: PortkeyServer, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.portkey_exports.MAX_POLLS", 3)
    plane.lines, plane.status = lines_of("log_export.jsonl"), status
    message = {"paused": "has no known status", "in_progress": "is not done after 3 polls"}
    assert message.get(status, f"ended as {status}") in refused(plane)


def test_full_pages_of_an_ignored_filter_end_the_run(
    plane: PortkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.portkey_exports.PAGE_ROWS", 2)
    plane.cap, plane.ignores_filter = 2, True
    plane.lines = [row(f"row-{n}", "2026-10-01T00:00:00.000Z") for n in range(5)]
    assert "filter ignored" in refused(plane)


def test_a_job_is_asked_for_as_documented(plane: PortkeyServer) -> None:
    asked = json.loads((PAGES / "export_lifecycle.json").read_text(encoding="utf-8"))
    documented = asked["create_request"]
    read(plane)
    sent = plane.script.asked[0].json()
    assert sent["requested_data"] == documented["requested_data"]
    assert sent["filters"] == {**documented["filters"], "workspace_slug": "ws-main"}
