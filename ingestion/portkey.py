"""Portkey gateway: one row is one attempt at a call, as the gateway logged and priced it.

Billed by: the providers behind the gateway; `cost` is Portkey's own claim, in US cents (limits of
keys are in dollars). Each retry or fallback target is a row of its own under a shared trace_id.
Auth: an API key (header x-portkey-api-key) that may export logs (`logs.export`, Enterprise), read
analytics and list API keys of its workspace; nothing else.
Pages: a log export is a job of at most 50,000 rows: create, start, poll, then download JSON lines
from a signed address. Windows are hours (days further back); one over the cap is halved. Rate
limits are not documented.
Lag: seconds; a stream is written at its end: hence an overlap of 2 hours, and 2 days each night.
Rows are not restated. `request` and `response` are never asked for, so cache reads are not told.
Docs: portkey.ai/docs/api-reference/admin-api/control-plane/log-exports
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal

import dlt
from dlt.extract import DltResource
from pydantic import StringConstraints

from ingestion.batches import Batch
from ingestion.config_types import EnvName
from ingestion.http import JsonClient, SourceError, json_client
from ingestion.json_text import inside
from ingestion.portkey_exports import ExportPlace, asked, export_windows, vendor_time
from ingestion.portkey_records import ANALYTICS_COST, KEYS, LOG_EXPORTS
from ingestion.resources import rows_rejected_reads
from ingestion.restated import SNAPSHOT, WindowRead, window_batches
from ingestion.source_config import SourceConfig
from ingestion.windows import Window

OVERLAP = timedelta(hours=2)
DEEP_REREAD = timedelta(days=2)
HISTORY = timedelta(days=90)
KEYS_PAGE_ROWS = 100
MAX_KEY_PAGES = 1_000
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_MILLISECOND = timedelta(milliseconds=1)

Slug = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
CostUnit = Literal["cents", "usd"]


class PortkeySource(SourceConfig):
    """One workspace of a Portkey account; `base_url` is that of its control plane, with /v1.

    `workspace_id` is named where the key is an organisation's.
    """

    system: Literal["portkey"]
    workspace_slug: Slug
    workspace_id: Slug | None = None
    cost_unit: CostUnit = "cents"
    base_url_env: EnvName
    api_key_env: EnvName


@dlt.source(name="portkey", max_table_nesting=0)
def portkey_source(
    *,
    workspace_slug: str,
    workspace_id: str | None,
    cost_unit: str,
    base_url: str,
    api_key: str,
    instance: str,
    now: datetime,
    deep_reread: bool = False,
    history: timedelta = HISTORY,
) -> Sequence[DltResource]:
    """Logged attempts of one workspace, what each day cost in all, and its keys."""
    now = now.astimezone(UTC)
    overlap = DEEP_REREAD if deep_reread else OVERLAP

    def client() -> JsonClient:
        return json_client(base_url, headers={"x-portkey-api-key": api_key})

    def logs() -> Iterator[Batch]:
        place = ExportPlace(client(), workspace_slug, workspace_id, cost_unit)
        first_at, last_at = _range("log_exports", now=now, overlap=overlap, history=history)
        hours_from = _floor(now - DEEP_REREAD - _DAY, _DAY)
        windows = _windows(first_at, last_at, hours_from=hours_from)
        yield from window_batches(
            (read for window in windows for read in export_windows(place, window)),
            contract=LOG_EXPORTS,
            source_instance=instance,
            extracted_at=now,
        )
        _move("log_exports", last_at, digests_from=hours_from)

    def costs() -> Iterator[Batch]:
        reader = client()
        first_at, last_at = _range("analytics_cost", now=now, overlap=overlap, history=history)
        yield from window_batches(
            _cost_days(reader, workspace_slug, cost_unit, first_at=first_at, last_at=last_at),
            contract=ANALYTICS_COST,
            source_instance=instance,
            extracted_at=now,
        )
        _move("analytics_cost", last_at, digests_from=_floor(now - DEEP_REREAD - _DAY, _DAY))

    def keys() -> Iterator[Batch]:
        reader = client()
        yield from window_batches(
            [WindowRead(SNAPSHOT, lambda: _keys(reader, workspace_id or workspace_slug))],
            contract=KEYS,
            source_instance=instance,
            extracted_at=now,
        )

    return (
        *rows_rejected_reads(
            "log_exports",
            logs,
            description="Attempts as the gateway logged them; key id; windows of created_at.",
        ),
        *rows_rejected_reads(
            "analytics_cost",
            costs,
            description="What the gateway says a day cost in all; key day, restated whole.",
        ),
        *rows_rejected_reads(
            "keys", keys, description="API keys with limits in dollars and status, as they are now."
        ),
    )


def _range(
    resource: str, *, now: datetime, overlap: timedelta, history: timedelta
) -> tuple[datetime, datetime]:
    """From the cursor less the overlap up to now; the first run goes back by `history`."""
    state = dlt.current.source_state()
    last_at = now.replace(microsecond=0)
    cursor = state.get("cursors", {}).get(resource)
    first_at = datetime.fromisoformat(cursor) - overlap if cursor else now - history
    return max(first_at, now - history), last_at


def _move(resource: str, last_at: datetime, *, digests_from: datetime) -> None:
    """Moves the cursor, never back; forgets digests of windows that are not read again."""
    state = dlt.current.source_state()
    cursors = state.setdefault("cursors", {})
    cursors[resource] = max(cursors.get(resource, ""), last_at.isoformat())
    digests = state["digests"][resource]
    state["digests"][resource] = {
        key: digest for key, digest in digests.items() if key >= vendor_time(digests_from)
    }


def _floor(moment: datetime, step: timedelta) -> datetime:
    """The beginning of the hour or day (UTC) that a moment lies in."""
    start = moment.replace(minute=0, second=0, microsecond=0)
    return start if step == _HOUR else start.replace(hour=0)


def _windows(first_at: datetime, last_at: datetime, *, hours_from: datetime) -> Iterator[Window]:
    """Hours from `hours_from` on, days before it, which are never read again.

    Whether the vendor's bounds are inclusive is not documented: neighbours share their boundary,
    and staging keeps one row an id.
    """
    start = _floor(first_at, _HOUR if first_at >= hours_from else _DAY)
    while start < last_at:
        step = _HOUR if start >= hours_from else _DAY
        edge = _floor(start, step) + step
        yield Window(start, min(edge, last_at))
        start = edge


def _cost_days(
    client: JsonClient, workspace: str, unit: str, *, first_at: datetime, last_at: datetime
) -> Iterator[WindowRead]:
    day = _floor(first_at, _DAY)
    while day < last_at:
        read = partial(_cost_of_day, client, workspace, unit, day=day)
        yield WindowRead(vendor_time(day), read)
        day += _DAY


def _cost_of_day(
    client: JsonClient, workspace: str, unit: str, *, day: datetime
) -> list[tuple[str, Any]]:
    """What a day cost in all, as one record; the day ends a millisecond before the next one."""
    place = f"analytics/graphs/cost {day:%Y-%m-%d}"
    answer = asked(
        client.get,
        "/analytics/graphs/cost",
        params={
            "workspace_slug": workspace,
            "time_of_generation_min": vendor_time(day),
            "time_of_generation_max": vendor_time(day + _DAY - _MILLISECOND),
        },
        scope="may read analytics",
    )
    points = inside(answer, "data_points")
    if inside(answer, "summary", "total") is None or not isinstance(points, list):
        raise SourceError(f"portkey: {place} answered 200 without a total and its points")
    name = day.date().isoformat()
    if any(not str(inside(point, "timestamp")).startswith(name) for point in points):
        raise SourceError(f"portkey: {place} answered for other days: its filter was ignored")
    record = {
        "workspace_slug": workspace,
        "day_at": day.isoformat(),
        "total": answer["summary"]["total"],
        "data_points_count": len(points),
        "cost_unit": unit,
    }
    return [(place, record)]


def _keys(client: JsonClient, workspace: str) -> list[tuple[str, Any]]:
    """Every key of the workspace; pages are counted from 0."""
    rows: list[tuple[str, Any]] = []
    before: list[Any] = []
    for page in range(MAX_KEY_PAGES):
        params = {"workspace_id": workspace, "page_size": KEYS_PAGE_ROWS, "current_page": page}
        answer = asked(client.get, "/api-keys", params=params, scope="may list API keys")
        data, total = inside(answer, "data"), inside(answer, "total")
        if not isinstance(data, list) or not isinstance(total, int):
            raise SourceError("portkey: /api-keys answered 200 without a list and its total")
        if data and data == before:
            raise SourceError(f"portkey: page {page} of /api-keys repeats the page before it")
        rows += [(f"api-keys page {page} row {n}", row) for n, row in enumerate(data, start=1)]
        if len(rows) >= total:
            return rows
        if not data:
            raise SourceError(f"portkey: /api-keys ended after {len(rows)} of {total} keys")
        before = data
    raise SourceError(f"portkey: /api-keys has no end after {MAX_KEY_PAGES} pages")


CONTRACTS = (LOG_EXPORTS, ANALYTICS_COST, KEYS)
