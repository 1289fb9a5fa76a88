"""Portkey's log export: a job that is created, started, polled and downloaded.

Creating a job already tells how many rows it will hold: an empty window costs one request, and one
over the cap is halved before anything is written out.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ingestion.batches import SetAside, sha256_of
from ingestion.checkpoints import checkpoint
from ingestion.http import JsonClient, SourceError, SourceUnavailable
from ingestion.json_text import decode_json, inside
from ingestion.restated import WindowRead
from ingestion.times import utc_text
from ingestion.windows import Window

PAGE_ROWS = 50_000
MAX_PAGES = 200
# The pause before a job is asked about again; doubled each time up to the longest one.
POLL_SECONDS = 0.5
LONGEST_POLL_SECONDS = 15.0
MAX_POLLS = 60
_SECOND = timedelta(seconds=1)
_MILLISECOND = timedelta(milliseconds=1)
_SCOPE = "has the scope logs.export (Enterprise plan)"

# What schema and documentation agree on; `request` and `response` hold content and stay away.
FIELDS = (
    "id", "trace_id", "created_at", "is_success", "ai_org", "ai_model", "req_units", "res_units",
    "total_units", "request_url", "cost", "cost_currency", "response_time",
    "response_status_code", "mode", "config", "prompt_slug", "metadata",
)  # fmt: skip


@dataclass(frozen=True)
class ExportPlace:
    """Where exports are made: the workspace, and the unit its costs are in."""

    client: JsonClient
    workspace_slug: str
    workspace_id: str | None
    cost_unit: str


@dataclass(frozen=True)
class _Job:
    id: str
    total: int


def asked(call: Callable[..., Any], path: str, *, scope: str, **request: Any) -> Any:
    """The answer to a request; a refusal says what the key lacks."""
    try:
        return call(path, **request)
    except SourceError as error:
        if error.status not in (401, 403):
            raise
        raise SourceError(
            f"portkey: {error}: check that the key is valid and {scope}", status=error.status
        ) from None


def vendor_time(moment: datetime) -> str:
    """A time as Portkey writes it: UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def export_windows(place: ExportPlace, window: Window) -> Iterator[WindowRead]:
    """The window as reads that each fit into one job; one second that does not is paged."""
    job = _create(place, window, page=0)
    if job.total >= PAGE_ROWS and window.last_at - window.first_at > _SECOND:
        for half in window.halves():
            yield from export_windows(place, half)
        return
    yield WindowRead(vendor_time(window.first_at), lambda: list(_records(place, window, job)))


def _records(place: ExportPlace, window: Window, job: _Job) -> Iterator[tuple[str, Any]]:
    """Where each row of a window stands, and the row; one of another time is refused."""
    page = 0
    before: list[bytes] = []
    while job.total:
        lines = _export(place, window, job, page=page)
        if lines == before:
            raise SourceError(f"portkey: page {page} of {window.name} repeats the page before it")
        records = [_record(line, place, window) for line in lines]
        if len(lines) >= PAGE_ROWS and any(isinstance(record, SetAside) for record in records):
            # Halving would never end, and neither would the pages.
            raise SourceError(f"portkey: {window.name} is full of other times: filter ignored")
        for number, record in enumerate(records, start=1):
            yield f"{window.name} page {page} line {number}", record
        checkpoint("extract_page")
        # Rows may have been added since the job was made: only a page with room was the last.
        if len(lines) < PAGE_ROWS:
            return
        page, before = page + 1, lines
        if page >= MAX_PAGES:
            raise SourceError(f"portkey: {window.name} has no end after {MAX_PAGES} pages")
        job = _create(place, window, page=page)


def _create(place: ExportPlace, window: Window, *, page: int) -> _Job:
    body: dict[str, Any] = {
        "filters": {
            "time_of_generation_min": vendor_time(window.first_at),
            "time_of_generation_max": vendor_time(window.last_at),
            "workspace_slug": place.workspace_slug,
            "page_size": PAGE_ROWS,
            "current_page": page,
        },
        "requested_data": list(FIELDS),
    }
    if place.workspace_id:
        body["workspace_id"] = place.workspace_id
    answer = asked(place.client.post, "/logs/exports", body=body, scope=_SCOPE)
    job, total = inside(answer, "id"), inside(answer, "total")
    if not isinstance(job, str) or not job or not isinstance(total, int):
        raise SourceError("portkey: /logs/exports answered 200 without an export and its total")
    return _Job(job, total)


def _export(place: ExportPlace, window: Window, job: _Job, *, page: int) -> list[bytes]:
    """The lines of one job, as many as were announced or more."""
    client = place.client
    path = f"/logs/exports/{job.id}"
    asked(client.post, f"{path}/start", body={}, scope=_SCOPE)
    _wait(client, path, window)
    answer = asked(client.get, f"{path}/download", params={}, scope=_SCOPE)
    url = inside(answer, "signed_url") or inside(answer, "url")
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        raise SourceError(f"portkey: the export of {window.name} has no address to download from")
    content = client.download(url)
    lines = [line for line in content.splitlines() if line.strip()]
    if lines and not content.endswith(b"\n") and not _is_json(lines[-1]):
        raise SourceError(f"portkey: the export of {window.name} is cut short or no JSON lines")
    if len(lines) < job.total:
        raise SourceError(
            f"portkey: page {page} of {window.name} holds {len(lines)} of {job.total} rows"
        )
    return lines


def _wait(client: JsonClient, path: str, window: Window) -> None:
    """Returns once the job is done; raises where it failed or does not end."""
    pause = POLL_SECONDS
    for _ in range(MAX_POLLS):
        status = inside(asked(client.get, path, params={}, scope=_SCOPE), "status")
        if status == "success":
            return
        # The reference says failed, its prose failure.
        if status in ("failed", "failure", "stopped"):
            raise SourceUnavailable(f"portkey: the export of {window.name} ended as {status}")
        if status not in ("draft", "in_progress"):
            raise SourceError(f"portkey: the export of {window.name} has no known status")
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_POLL_SECONDS)
    raise SourceUnavailable(
        f"portkey: the export of {window.name} is not done after {MAX_POLLS} polls"
    )


def _is_json(line: bytes) -> bool:
    try:
        decode_json(line)
    except ValueError:
        return False
    return True


def _record(line: bytes, place: ExportPlace, window: Window) -> Any:
    """The record of a line, and in which workspace and unit it was asked for.

    What is not JSON comes back as it is, and is rejected as no object. A row of another time means
    that the filter was ignored, which must not pass for an answer.
    """
    try:
        record = decode_json(line)
    except ValueError:
        return line.decode("utf-8", "replace")
    if not isinstance(record, dict):
        return record
    if not _lies_in(record.get("created_at"), window):
        return SetAside(None, "outside_window", sha256_of(record))
    return {**record, "workspace_slug": place.workspace_slug, "cost_unit": place.cost_unit}


def _lies_in(created_at: Any, window: Window) -> bool:
    """Whether a time lies in the window, bounds included; what is no time is refused elsewhere."""
    try:
        moment = datetime.fromisoformat(utc_text(created_at))
    except (TypeError, ValueError):
        return True
    return window.first_at <= moment < window.last_at + _MILLISECOND
