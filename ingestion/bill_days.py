"""The days of a provider's bill: which of them are read, and how their buckets are paged through.

OpenAI and Anthropic answer alike: buckets of one UTC day, each with its results, by cursor pages. A
day is read once it is over, and again as long as the provider may restate it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dlt

from ingestion.batches import Batch, sha256_of
from ingestion.checkpoints import checkpoint
from ingestion.contracts import Contract
from ingestion.http import JsonClient, SourceError
from ingestion.restated import WindowRead, read_windows, window_batches

OVERLAP = timedelta(days=7)
DEEP_REREAD = timedelta(days=35)
HISTORY = timedelta(days=180)
# Until then a month that is over is read whole: invoices are closed in its first days.
LAST_DAY_OF_CLOSING = 5
_MOST_PAGES = 1_000
_DAY = timedelta(days=1)


def day_batches(
    fetch: Callable[[Sequence[date]], Iterator[tuple[date, str, Any]]],
    *,
    contract: Contract,
    source_instance: str,
    now: datetime,
    deep_reread: bool,
    history: timedelta,
) -> Iterator[Batch]:
    """A batch for each day that changed since it was last read; then moves the cursor.

    `fetch` yields, for the days it is asked for, each result's day, place and itself.
    """
    cursors = dlt.current.source_state().setdefault("cursors", {})
    now = now.astimezone(UTC)
    cursor = cursors.get(contract.resource)
    first_on = first_day(now=now, cursor=cursor, deep_reread=deep_reread, history=history)
    days = days_between(first_on, now.date())
    rows: dict[date, list[tuple[str, Any]]] = {}
    for day, place, record in fetch(days) if days else ():
        rows.setdefault(day, []).append((place, record))
    yield from window_batches(
        _windows(rows, days, contract=contract),
        contract=contract,
        source_instance=source_instance,
        extracted_at=now,
    )
    cursors[contract.resource] = max(now.date().isoformat(), cursor or "")


def first_day(*, now: datetime, cursor: str | None, deep_reread: bool, history: timedelta) -> date:
    """The first day to be read: the cursor's less the overlap, never before the history."""
    earliest = (now - history).date()
    if cursor is None:
        return earliest
    days = [date.fromisoformat(cursor) - OVERLAP]
    if deep_reread:
        days.append((now - DEEP_REREAD).date())
    if now.day <= LAST_DAY_OF_CLOSING:
        days.append((now.replace(day=1) - _DAY).date().replace(day=1))
    return max(min(days), earliest)


def days_between(first_on: date, end_on: date) -> list[date]:
    """The days of a half-open range."""
    return [first_on + n * _DAY for n in range((end_on - first_on).days)]


def _windows(
    rows: Mapping[date, Sequence[tuple[str, Any]]], days: Sequence[date], *, contract: Contract
) -> Iterator[WindowRead]:
    """A window a day; days of nothing only where there was something before.

    Results have no order of their own: sorted, the same day read twice is the same window.
    """
    known = read_windows(contract)
    for day in days:
        found = sorted(rows.get(day, ()), key=lambda row: sha256_of(row[1]))
        if found or day.isoformat() in known:
            yield WindowRead(day.isoformat(), lambda found=found: found)


def bucket_rows(
    client: JsonClient,
    path: str,
    *,
    system: str,
    params: Mapping[str, Any],
    days: Sequence[date],
    start_of: Callable[[Mapping[str, Any]], Any],
    refused: str,
) -> Iterator[tuple[date, str, Mapping[str, Any], Any]]:
    """Every result: its day, where it stands, its bucket and itself, over all pages.

    `start_of` takes the start of a bucket as ISO 8601; `refused` says what key or scope is missing.
    """
    wanted, seen, cursors = set(days), set(), set()
    page: str | None = None
    for number in range(1, _MOST_PAGES + 1):
        answer = _page(client, path, system=system, params=params, page=page, refused=refused)
        for bucket in answer["data"]:
            day = _day(bucket, start_of)
            if day is None or not isinstance(bucket.get("results"), list):
                raise SourceError(f"{system}: {path} answered a bucket without a start or results")
            if day not in wanted or day in seen:
                raise SourceError(f"{system}: {path} answered {day}, which is not the day asked")
            seen.add(day)
            for position, result in enumerate(bucket["results"], start=1):
                yield day, f"{path} {day} page {number} row {position}", bucket, result
        checkpoint("extract_page")
        if not answer["has_more"]:
            return
        page = answer.get("next_page")
        if not isinstance(page, str) or not page:
            raise SourceError(f"{system}: {path} says there is more and names no page")
        if page in cursors:
            raise SourceError(f"{system}: {path} repeats a page cursor")
        cursors.add(page)
    raise SourceError(f"{system}: {path} does not end within {_MOST_PAGES} pages")


def _page(
    client: JsonClient,
    path: str,
    *,
    system: str,
    params: Mapping[str, Any],
    page: str | None,
    refused: str,
) -> Mapping[str, Any]:
    try:
        answer = client.get(path, params={**params, **({"page": page} if page else {})})
    except SourceError as error:
        if error.status not in (401, 403):
            raise
        raise SourceError(f"{system}: {error}: {refused}", status=error.status) from None
    is_page = isinstance(answer, dict) and isinstance(answer.get("data"), list)
    if not is_page or not isinstance(answer.get("has_more"), bool):
        raise SourceError(f"{system}: {path} answered 200 without a page of buckets")
    return answer


def _day(bucket: Any, start_of: Callable[[Mapping[str, Any]], Any]) -> date | None:
    """The UTC day a bucket starts; None where it is no bucket or starts within a day."""
    start = start_of(bucket) if isinstance(bucket, dict) else None
    try:
        moment = datetime.fromisoformat(start) if isinstance(start, str) else None
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None:
        return None
    moment = moment.astimezone(UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return moment.date() if moment == midnight else None
