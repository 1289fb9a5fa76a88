"""Which windows of OpenRouter's listings a run reads: a UTC day of a key, or of the account.

A window is a key's own, so that a key which was deleted, and is listed no more, keeps its past.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import dlt

from ingestion.json_text import inside
from ingestion.openrouter_api import Api
from ingestion.openrouter_records import day_of
from ingestion.restated import WindowRead

OVERLAP_DAYS = 3
ACCOUNT = "account"
_DAY = timedelta(days=1)
_ORDER = ("date", "date__hour", "created_at__hour", "model_permaslug", "model", "endpoint_id")


def first_day(cursor_name: str, *, today: date, reach: date, deep_reread: bool) -> date:
    """The first day to read: at first, and deep, all within reach; then the overlap."""
    cursor = dlt.current.source_state().get("cursors", {}).get(cursor_name)
    if cursor is None or deep_reread:
        return reach
    newest = min(date.fromisoformat(cursor), today - _DAY)
    return max(newest - (OVERLAP_DAYS - 1) * _DAY, reach)


def move_cursor(cursor_name: str, *, today: date) -> None:
    """All completed days have been read: the cursor never goes back."""
    cursors = dlt.current.source_state().setdefault("cursors", {})
    cursors[cursor_name] = max(cursors.get(cursor_name, ""), (today - _DAY).isoformat())


def forget_cursor(cursor_name: str) -> None:
    """What is no longer read so is read as if never before, should it be read so again."""
    dlt.current.source_state().setdefault("cursors", {}).pop(cursor_name, None)


def forget_digests(resource: str, *, before: date) -> None:
    """Windows that are never read again need not be remembered."""
    digests = dlt.current.source_state().get("digests", {})
    digests[resource] = {
        window: digest
        for window, digest in digests.get(resource, {}).items()
        if window[:10] >= before.isoformat()
    }


def activity_windows(api: Api, *, today: date, first: date, reach: date) -> Iterator[WindowRead]:
    """A window a key and completed day; one request brings all days of a key."""
    known = _known("activity")
    recent = (today - OVERLAP_DAYS * _DAY).isoformat()
    for key in _usable_keys(api):
        name = key["api_key_hash"]
        # A key that was never read is read as far back as there is.
        begins = first if any(window.endswith(name) for window in known) else reach
        days = _days(begins, today)
        rows = _by_day(((day_of(row), row) for row in api.activity(name)), newest=days[-1])
        oldest = min((day for day in rows), default="9999")
        for day in days:
            # What the listing reaches back to no more is not restated to nothing.
            is_reached = oldest <= day or recent <= day
            if day in rows or (_window(day, name) in known and is_reached):
                yield WindowRead(_window(day, name), _placed("activity", day, rows, key))


def analytics_windows(
    api: Api, *, first: date, end_at: datetime, is_ledger: bool
) -> Iterator[WindowRead]:
    """A window a key and day up to the last whole hour, or of the account: a control total."""
    known = _known("analytics")
    last = end_at if end_at > _midnight(end_at.date()) else end_at - _DAY
    days = _days(first, last.date() + _DAY)
    for key in _usable_keys(api) if is_ledger else [{}]:
        name = key.get("api_key_hash")
        found = api.analytics(_midnight(first), end_at, key_hash=name)
        rows = _by_day(
            ((at.date().isoformat() if at else None, row) for at, row in found), newest=days[-1]
        )
        for day in days:
            window = _window(day, name or ACCOUNT)
            if day in rows or window in known:
                yield WindowRead(window, _placed("analytics", day, rows, key))


def taken_back_windows(resource: str, *, reach: date) -> Iterator[WindowRead]:
    """Windows that this ledger had stated and the other one states now: they read as nothing."""
    for window in sorted(_known(resource)):
        if window[:10] >= reach.isoformat() and not window.endswith(ACCOUNT):
            yield WindowRead(window, list)


def generation_windows(
    api: Api, generation_ids: Sequence[str], *, deep_reread: bool
) -> Iterator[WindowRead]:
    """Generations by id: those not found yet, or all of them. None is asked for again in vain."""
    found = set(dlt.current.source_state().get("generations_found", []))
    for name in dict.fromkeys(generation_ids):
        if deep_reread or name not in found:
            yield WindowRead(name, _generation(api, name))


def _generation(api: Api, name: str) -> Callable[[], list[tuple[str, Any]]]:
    def read() -> list[tuple[str, Any]]:
        record = api.generation(name)
        if record is None:
            return []
        found = dlt.current.source_state().setdefault("generations_found", [])
        if name not in found:
            found.append(name)
        return [(f"generation {name}", record)]

    return read


def _known(resource: str) -> Mapping[str, str]:
    return dict(dlt.current.source_state().get("digests", {}).get(resource, {}))


def _usable_keys(api: Api) -> Iterator[dict[str, Any]]:
    """What a row is told about the key it was asked for."""
    for _, record in api.listed_keys():
        name = inside(record, "hash")
        if isinstance(name, str) and name:
            yield {
                "api_key_hash": name,
                "api_key_name": record.get("name"),
                "external_user": record.get("external_user"),
            }


def _by_day(rows: Iterable[tuple[str | None, Any]], *, newest: str) -> dict[str, list[Any]]:
    """Rows by their day. One whose day cannot be told is kept in the newest, to be rejected."""
    days: dict[str, list[Any]] = {}
    for day, row in rows:
        days.setdefault(day if _is_day(day) else newest, []).append(row)
    return days


def _placed(
    listing: str, day: str, rows: Mapping[str, list[Any]], key: Mapping[str, Any]
) -> Callable[[], list[tuple[str, Any]]]:
    """The rows of a window and where they stand, in an order of our own: the vendor's may vary."""
    name = key.get("api_key_hash", ACCOUNT)
    ordered = sorted(rows.get(day, []), key=_order)
    return lambda: [
        (f"{listing} {day} {name} row {n}", {**row, **key} if isinstance(row, dict) else row)
        for n, row in enumerate(ordered, start=1)
    ]


def _order(row: Any) -> list[str]:
    return [str(inside(row, name)) for name in _ORDER] + [str(inside(row, "workspace_id"))]


def _is_day(text: str | None) -> bool:
    try:
        return text is not None and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _days(first: date, end: date) -> list[str]:
    """The days from the first up to the end, which is not one of them."""
    return [(first + n * _DAY).isoformat() for n in range((end - first).days)]


def _window(day: str, name: str) -> str:
    return f"{day} {name}"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
