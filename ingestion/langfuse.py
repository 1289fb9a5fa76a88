"""Langfuse: one row is one observation of a trace, as an application's tracer told it.

Billed by: the providers the application called; `totalCost` is an estimate of Langfuse or client.
Auth: HTTP Basic with a project's key pair (`pk-lf-…`, `sk-lf-…`): one instance a project. The blob
export needs read-only keys of its bucket.
Pages: `GET /api/public/v2/observations`, newest first by cursor, at most 1,000 rows; from its lower
bound on, up to its upper. On Cloud 30 (Hobby) or 1,000 reads a minute; v2 metrics 100 a day to
500 an hour. Deployments without the v4 events table answer 404: then v1, by page, joined with its
traces.
Lag: seconds, but clients flush late and fill in old start times. Rows are replaced by what comes in
later (end and usage after the start), and only `updatedAt` shows it, which cannot be asked for:
hence an overlap of 48 hours, 7 days nightly, and hours that read as before are not appended again.
Input and output are never asked for of v2, and let go at once where they come anyway.
Docs: langfuse.com/docs/api-and-data-platform/features/observations-api
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import dlt
from dlt.extract import DltResource
from pydantic import StringConstraints

from ingestion.batches import Batch
from ingestion.config_types import EnvName
from ingestion.contracts import Contract
from ingestion.http import JsonClient, SourceError
from ingestion.langfuse_api import (
    ApiVersion,
    ReadRange,
    Rows,
    langfuse_client,
    project_of,
    reader_of,
)
from ingestion.langfuse_export import Bucket, export_batches
from ingestion.langfuse_metrics import DAILY_METRICS, metric_windows
from ingestion.langfuse_records import BLOB_EXPORT, OBSERVATIONS
from ingestion.langfuse_tree import nodes_of, place
from ingestion.resources import rows_rejected_reads
from ingestion.restated import WindowRead, window_batches
from ingestion.source_config import SourceConfig

OVERLAP = timedelta(hours=48)
DEEP_REREAD = timedelta(days=7)
HISTORY = timedelta(days=400)
# Days that are read again are remembered by the hour, older ones are read once, as a whole.
REMEMBERED = DEEP_REREAD + timedelta(days=2)
_DAY = timedelta(days=1)


class LangfuseSource(SourceConfig):
    """One project of a Langfuse deployment, and the bucket it is exported to, if any."""

    system: Literal["langfuse"]
    base_url_env: EnvName
    public_key_env: EnvName
    secret_key_env: EnvName
    api_version: ApiVersion = "auto"
    bucket: (
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] | None
    ) = None
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!_.*'()/-]*$")] = ""
    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")] | None = None
    endpoint_url_env: EnvName | None = None
    access_key_id_env: EnvName | None = None
    secret_access_key_env: EnvName | None = None


@dlt.source(name="langfuse", max_table_nesting=0)
def langfuse_source(
    *,
    base_url: str,
    public_key: str,
    secret_key: str,
    api_version: ApiVersion = "auto",
    bucket: str | None = None,
    prefix: str = "",
    region: str | None = None,
    endpoint_url: str | None = None,
    access_key_id: str | None = None,
    secret_access_key: str | None = None,
    instance: str,
    now: datetime,
    deep_reread: bool = False,
    history: timedelta = HISTORY,
) -> Sequence[DltResource]:
    """Observations of one project, its blob export, and its own daily totals."""
    client = langfuse_client(base_url, public_key=public_key, secret_key=secret_key)
    now = now.astimezone(UTC)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    reread = DEEP_REREAD if deep_reread else OVERLAP

    def observations() -> Iterator[Batch]:
        first_day = _first_day(OBSERVATIONS, now=now, reread=reread, history=history)
        windows = _observation_windows(
            reader_of(client, api_version, now=now), first_day=first_day, now=now
        )
        yield from _read(windows, contract=OBSERVATIONS, instance=instance, now=now)

    def blob_export() -> Iterator[Batch]:
        if bucket is None:
            return
        yield from export_batches(
            Bucket(bucket, prefix, region, endpoint_url, access_key_id, secret_access_key),
            project_id=project_of(client),
            instance=instance,
            now=now,
            reread=DEEP_REREAD if deep_reread else timedelta(),
            remembered=REMEMBERED,
        )

    def daily_metrics() -> Iterator[Batch]:
        if api_version == "v1":
            return
        first_day = _first_day(DAILY_METRICS, now=now, reread=reread, history=history)
        windows = _metric_windows(client, api_version, first_day=first_day, now=now)
        yield from _read(windows, contract=DAILY_METRICS, instance=instance, now=now)

    return (
        *rows_rejected_reads(
            "observations",
            observations,
            description="Observations as traced; key (project, id); cursor startTime.",
        ),
        *rows_rejected_reads(
            "blob_export",
            blob_export,
            description="Observations as exported to a bucket; key (project, id); cursor manifest.",
        ),
        *rows_rejected_reads(
            "daily_metrics",
            daily_metrics,
            description="Count and cost a day and model, as Langfuse totals them; windows of days.",
        ),
    )


def _first_day(
    contract: Contract, *, now: datetime, reread: timedelta, history: timedelta
) -> datetime:
    """The first day to read: that of the cursor less what is read again, no older than history."""
    state = dlt.current.source_state()
    first_at = now - history
    if cursor := state.get("cursors", {}).get(contract.resource):
        cursor_at = datetime.fromisoformat(cursor)
        first_at = max(first_at, min(cursor_at, now) - reread)
    return first_at.replace(hour=0, minute=0, second=0, microsecond=0)


def _read(
    windows: Iterable[WindowRead], *, contract: Contract, instance: str, now: datetime
) -> Iterator[Batch]:
    """Batches of the windows that changed; then moves the cursor and forgets what is long past."""
    state = dlt.current.source_state()
    yield from window_batches(
        windows, contract=contract, source_instance=instance, extracted_at=now
    )
    oldest = (now - REMEMBERED).strftime("%Y-%m-%d")
    digests = state["digests"]
    digests[contract.resource] = {
        key: digest for key, digest in digests[contract.resource].items() if key >= oldest
    }
    cursors = state.setdefault("cursors", {})
    cursors[contract.resource] = max(now.isoformat(), cursors.get(contract.resource, ""))


def _observation_windows(
    read_range: ReadRange, *, first_day: datetime, now: datetime
) -> Iterator[WindowRead]:
    """Windows of each day up to now, with what the trees of that day and its neighbours say."""
    before = nodes_of(record for _, record in read_range(first_day - _DAY, first_day))
    rows = read_range(first_day, min(first_day + _DAY, now))
    day = first_day
    while day < now:
        next_day = day + _DAY
        following = read_range(next_day, min(next_day + _DAY, now)) if next_day < now else []
        place(
            [record for _, record in rows],
            around=[*before, *nodes_of(record for _, record in following)],
        )
        yield from _windows_of(day, rows, by_hour=day >= now - REMEMBERED)
        before = nodes_of(record for _, record in rows)
        day, rows = next_day, following


def _windows_of(day: datetime, rows: Rows, *, by_hour: bool) -> Iterator[WindowRead]:
    """A day's rows as one window, or one an hour: what is added to one leaves the others alone."""
    windows: dict[str, Rows] = {}
    for row in rows:
        key = _hour_of(row[1], day) if by_hour else day.strftime("%Y-%m-%d")
        windows.setdefault(key, []).append(row)
    for key, found in sorted(windows.items()):
        yield WindowRead(key, lambda found=found: found)


def _hour_of(record: Any, day: datetime) -> str:
    """The hour a record starts in; those that do not tell share a window of their day."""
    started = record.get("startTime") if isinstance(record, dict) else None
    try:
        started_at = datetime.fromisoformat(started).astimezone(UTC)
    except (TypeError, ValueError):
        return f"{day:%Y-%m-%d} other"
    is_of_day = day <= started_at < day + _DAY
    return f"{started_at:%Y-%m-%dT%H}" if is_of_day else f"{day:%Y-%m-%d} other"


def _metric_windows(
    client: JsonClient, api_version: ApiVersion, *, first_day: datetime, now: datetime
) -> Iterator[WindowRead]:
    """The days' totals; none where this deployment does not serve them."""
    try:
        yield from metric_windows(client, first_day=first_day, now=now)
    except SourceError as error:
        if error.status != 404 or api_version == "v2":
            raise


CONTRACTS = (OBSERVATIONS, BLOB_EXPORT, DAILY_METRICS)
