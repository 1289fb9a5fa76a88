"""Helicone: one row is one logged request, with Helicone's own cost in USD.

Billed by: the providers; a cost of 0 beside tokens means that Helicone knew no price.
Auth: `Authorization: Bearer` with a read key. EU accounts have their own address.
Pages: `POST /v1/request/query-clickhouse`, at most 1,000 rows. Offsets drift while rows come in, so
time is sliced instead, half-open and closed at `now`: a slice with 1,000 rows is halved, and only
one of a single millisecond is paged. A failed query is an `error` inside a 200. No rate limit is
documented: two requests a second on average.
Lag: seconds. Rows are restated (scores, properties, feedback), and two versions of a request may be
seen before they are merged: the one with the newest updated_at counts. Hence an overlap of 24
hours, and 7 days each night.
Bodies and signed addresses may stand in a row: they are never picked.
The product is in maintenance mode: the first run reads all of `history`, in slices as large as fit.
Docs: docs.helicone.ai/rest/request/post-v1requestquery-clickhouse
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import dlt
from dlt.extract import DltResource

from ingestion.batches import Batch, SetAside, sha256_of
from ingestion.config_types import EnvName
from ingestion.helicone_records import REQUESTS
from ingestion.http import JsonClient, SourceError, json_client
from ingestion.resources import rows_rejected_reads
from ingestion.restated import WindowRead, window_batches
from ingestion.source_config import SourceConfig
from ingestion.times import utc_text

PAGE_ROWS = 1_000
MAX_PAGES = 100
OVERLAP = timedelta(hours=24)
DEEP_REREAD = timedelta(days=7)
HISTORY = timedelta(days=1_100)
# Politeness: so many requests in so many seconds, and no more.
PACE_REQUESTS = 60
PACE_SECONDS = 30.0
# What is read again is sliced at fixed hours, so that an unchanged slice is known as such.
_STEP = timedelta(hours=6)
_MILLISECOND = timedelta(milliseconds=1)
_PATH = "/v1/request/query-clickhouse"
# Without any of these in any row the answer is not what it was: no request may count as free.
_NEEDED = ("request_id", "request_created_at", "prompt_tokens", "completion_tokens", "cost")


class HeliconeSource(SourceConfig):
    """One Helicone organisation; `base_url` is that of its region."""

    system: Literal["helicone"]
    base_url_env: EnvName
    api_key_env: EnvName


@dlt.source(name="helicone", max_table_nesting=0)
def helicone_source(
    *,
    base_url: str,
    api_key: str,
    instance: str,
    now: datetime,
    deep_reread: bool = False,
    history: timedelta = HISTORY,
) -> Sequence[DltResource]:
    """Requests of one organisation: rows, rejected rows and the count of both."""
    now = _floor(now.astimezone(UTC), _MILLISECOND)
    overlap = DEEP_REREAD if deep_reread else OVERLAP

    def batches() -> Iterator[Batch]:
        client = json_client(base_url, headers={"Authorization": f"Bearer {api_key}"})
        state = dlt.current.source_state()
        cursor = datetime.fromisoformat(state["cursor"]) if "cursor" in state else None
        first_at = max(cursor - overlap, now - history) if cursor else now - history
        steps_from = _floor(now - DEEP_REREAD, _STEP) - _STEP
        reader = Reader(client, now)
        yield from window_batches(
            (
                read
                for span in _spans(_floor(first_at, _STEP), now, steps_from=steps_from)
                for read in reader.windows(span)
            ),
            contract=REQUESTS,
            source_instance=instance,
            extracted_at=now,
        )
        state["cursor"] = max(now, cursor or now).isoformat()
        # Slices that are not read again need no digest.
        state["digests"]["requests"] = {
            key: digest
            for key, digest in state["digests"]["requests"].items()
            if key >= _text(steps_from)
        }

    return rows_rejected_reads(
        "requests",
        batches,
        description="Requests as Helicone logged them; key request_id, newest updated_at; slices "
        "of request_created_at.",
    )


@dataclass(frozen=True)
class Span:
    """A half-open range of times; its end may lie ahead, so that halves have fixed edges."""

    first_at: datetime
    end_at: datetime

    @property
    def name(self) -> str:
        """The range as text, for keys, locators and messages."""
        return f"{_text(self.first_at)}/{_text(self.end_at)}"

    def halves(self) -> tuple["Span", "Span"]:
        """The two halves, cut at a millisecond."""
        middle = _floor(self.first_at + (self.end_at - self.first_at) / 2, _MILLISECOND)
        return Span(self.first_at, middle), Span(middle, self.end_at)


def _spans(first_at: datetime, now: datetime, *, steps_from: datetime) -> Iterator[Span]:
    """Six hours each from `steps_from` on; what lies before it is one slice, read once."""
    if first_at < steps_from:
        yield Span(first_at, steps_from)
    start = max(first_at, steps_from)
    while start < now:
        yield Span(start, start + _STEP)
        start += _STEP


@dataclass(frozen=True)
class Pace:
    """Keeps requests at the polite pace; the clock and its sleep are given by a test."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    asked_at: deque[float] = field(default_factory=deque)

    def keep(self) -> None:
        """Returns as soon as one more request is polite."""
        if len(self.asked_at) >= PACE_REQUESTS:
            free_at = self.asked_at.popleft() + PACE_SECONDS
            self.sleep(max(0.0, free_at - self.clock()))
        self.asked_at.append(self.clock())


@dataclass(frozen=True)
class Reader:
    """Asks for slices no later than `now`."""

    client: JsonClient
    now: datetime
    pace: Pace = field(default_factory=Pace)

    def windows(self, span: Span) -> Iterator[WindowRead]:
        """The slice as reads of less than a page each."""
        if span.first_at >= self.now:
            return
        rows = self._page(span, offset=0)
        if len(rows) >= PAGE_ROWS and span.end_at - span.first_at > _MILLISECOND:
            for half in span.halves():
                yield from self.windows(half)
            return
        yield WindowRead(span.name, lambda: list(self._records(span, rows)))

    def _records(self, span: Span, rows: Sequence[Any]) -> Iterator[tuple[str, Any]]:
        """Where each row of a slice stands, and the row; further pages where there are some."""
        for page in range(MAX_PAGES):
            for number, row in enumerate(rows, start=1):
                yield f"{span.name} page {page} row {number}", row
            if len(rows) < PAGE_ROWS:
                return
            before, rows = rows, self._page(span, offset=(page + 1) * PAGE_ROWS)
            if rows == before:
                raise SourceError(f"helicone: {span.name} repeats page {page}")
        raise SourceError(f"helicone: {span.name} has no end after {MAX_PAGES} pages")

    def _page(self, span: Span, *, offset: int) -> list[Any]:
        """The rows from `offset` on; one of another time is refused."""
        self.pace.keep()
        end_at = min(span.end_at, self.now)
        body = {
            "filter": {
                "left": _created("gte", span.first_at),
                "operator": "and",
                "right": _created("lt", end_at),
            },
            "sort": {"created_at": "asc"},
            "limit": PAGE_ROWS,
            "offset": offset,
            "includeInputs": False,
        }
        try:
            answer = self.client.post(_PATH, body=body)
        except SourceError as error:
            if error.status not in (401, 403):
                raise
            raise SourceError(
                f"helicone: {error}: check that the key is valid and may read", status=error.status
            ) from None
        if not isinstance(answer, dict) or answer.get("error"):
            raise SourceError(f"helicone: the query of {span.name} answered 200 with an error")
        data = answer.get("data")
        if not isinstance(data, list) or len(data) > PAGE_ROWS:
            raise SourceError(f"helicone: the query of {span.name} answered without a page of rows")
        _refuse_lost_field(data)
        rows = [row if _lies_in(row, span.first_at, end_at) else _outside(row) for row in data]
        if len(rows) >= PAGE_ROWS and any(isinstance(row, SetAside) for row in rows):
            # Halving would never end.
            raise SourceError(f"helicone: {span.name} is full of other times: filter ignored")
        return rows


def _created(operator: str, moment: datetime) -> Mapping[str, Any]:
    return {"request_response_rmt": {"request_created_at": {operator: _text(moment)}}}


def _refuse_lost_field(rows: Sequence[Any]) -> None:
    """Raises SourceError where no row of a page names a field that costs are told from."""
    objects = [row for row in rows if isinstance(row, dict)]
    for name in _NEEDED:
        if objects and not any(name in row for row in objects):
            raise SourceError(f"helicone: no row has {name} any more")


def _lies_in(row: Any, first_at: datetime, end_at: datetime) -> bool:
    """Whether a row's time lies in the slice; what has no time is refused elsewhere."""
    created_at = row.get("request_created_at") if isinstance(row, dict) else None
    try:
        moment = datetime.fromisoformat(utc_text(created_at))
    except (TypeError, ValueError):
        return True
    return first_at <= moment < end_at


def _outside(row: Any) -> SetAside:
    return SetAside(None, "outside_window", sha256_of(row))


def _floor(moment: datetime, step: timedelta) -> datetime:
    """The last whole multiple of a step (counted from midnight UTC) at or before a moment."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // step * step


def _text(moment: datetime) -> str:
    """A time as Helicone writes it: UTC, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


CONTRACTS = (REQUESTS,)
