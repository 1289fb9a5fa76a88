"""Reading the views in windows: an hour, a day, or the whole list of users.

A window is made of the rows there are: one without rows is not read as empty, so that a view that
is taken away takes nothing back. Hours stop at the deep re-read; what is older is read by the day.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import dlt
import pyarrow as pa

from ingestion.batches import Batch
from ingestion.contracts import Contract
from ingestion.http import SourceError
from ingestion.restated import SNAPSHOT, WindowRead, window_batches
from ingestion.snowflake_models import by_model, count
from ingestion.snowflake_picks import ACCOUNT, EMAIL, TIME, USER
from ingestion.snowflake_session import Session
from ingestion.snowflake_views import USERS, View

Record = dict[str, Any]
BATCH_ROWS = 20_000
_DATABASE = "SNOWFLAKE"
_HOUR = "%Y-%m-%dT%H"
_DAY = "%Y-%m-%d"
# Views whose rows are requests that several models may have served, and where each counts tokens.
_TOKENS_BY_MODEL = {
    "agent": "TOKENS_GRANULAR",
    "cowork": "TOKENS_GRANULAR",
    "code": "TOKENS_GRANULAR",
    "guardrails": "TOKENS_GRANULAR",
    "ai_gateway": "OPERATION_DETAILS",
}

_log = logging.getLogger(__name__)


class Reader:
    """Reads one account as of `now`; users are read once a run and name those who used what."""

    def __init__(self, session: Session, *, account: str, instance: str, now: datetime) -> None:
        self._session = session
        self._account = account
        self._instance = instance
        self._now = now
        self._listed: list[Record] | None = None
        self._users: dict[str, Record] = {}

    def read(
        self, view: View, contract: Contract, *, overlap: timedelta, history: timedelta
    ) -> Iterator[Batch]:
        """Windows from the cursor less the overlap up to now; then moves the cursor."""
        state = dlt.current.source_state()
        cursors = state.setdefault("cursors", {})
        cursor = cursors.get(view.resource)
        hours_from = _midnight(self._now - view.deep_reread)
        first_at = self._now - history
        if cursor:
            first_at = max(first_at, datetime.fromisoformat(cursor) - overlap)
        # A window is read from its beginning, or what stands there would seem to be gone.
        is_by_day = not view.is_hourly or first_at < hours_from
        first_at = (
            _midnight(first_at)
            if is_by_day
            else first_at.replace(minute=0, second=0, microsecond=0)
        )

        def key_of(row: tuple[datetime, Record]) -> str:
            at, _ = row
            return at.strftime(_HOUR if view.is_hourly and at >= hours_from else _DAY)

        def windows() -> Iterator[WindowRead]:
            for key, rows in groupby(self._rows(view, first_at), key=key_of):
                yield WindowRead(key, partial(_placed, view, key, list(rows)))

        yield from _joined(
            window_batches(
                windows(), contract=contract, source_instance=self._instance, extracted_at=self._now
            )
        )
        # What is never read again needs no digest.
        digests, oldest = state["digests"], hours_from.strftime(_DAY)
        digests[view.resource] = {
            key: digest for key, digest in digests[view.resource].items() if key >= oldest
        }
        cursors[view.resource] = max(self._now.isoformat(), cursor or "")

    def read_users(self, contract: Contract) -> Iterator[Batch]:
        """The list of users, whole; no window where the role may not see it."""
        listed = [
            (f"{USERS.names[0]} row {number}", {ACCOUNT: self._account, **user})
            for number, user in enumerate(self._list_users(), start=1)
        ]
        yield from window_batches(
            [WindowRead(SNAPSHOT, lambda: listed)] if listed else [],
            contract=contract,
            source_instance=self._instance,
            extracted_at=self._now,
        )

    def _rows(self, view: View, first_at: datetime) -> Iterator[tuple[datetime, Record]]:
        """Rows in the order of their time and keys, with who the user is."""
        found = self._columns_of(view)
        if found is None:
            return
        columns, unknown = found
        self._list_users()
        clock = next(column for column in view.times if column in columns)
        for row in self._select(view, columns, clock=clock, first_at=first_at):
            at = row[clock]
            moment = _moment(at)
            record = dict.fromkeys(unknown) | {name: _plain(value) for name, value in row.items()}
            user = self._users.get(str(count(row.get("USER_ID"))), {})
            if "USERNAME" in row:
                user = self._users.get(f"name:{row['USERNAME']}", {})
            record |= {
                ACCOUNT: self._account,
                TIME: moment.isoformat(),
                USER: record.get("USER_NAME") or user.get("NAME"),
                EMAIL: user.get("EMAIL"),
            }
            yield moment, record

    def _select(
        self, view: View, columns: tuple[str, ...], *, clock: str, first_at: datetime
    ) -> Iterator[Record]:
        names = ", ".join(f'"{column}"' for column in columns)
        bounds = (first_at.isoformat(), self._now.isoformat(), "timestamp_tz")
        if clock.endswith("DATE"):
            # Today is a day that has begun.
            tomorrow = self._now.date() + timedelta(days=1)
            bounds = (first_at.date().isoformat(), tomorrow.isoformat(), "date")
        first, last, type = bounds
        where = f"\"{clock}\" >= '{first}'::{type} and \"{clock}\" < '{last}'::{type}"
        chosen = self._chosen(view)
        assert chosen is not None
        union = " union all ".join(
            f"select {names} from {_DATABASE}.{name} where {where}" for name in chosen
        )
        order = ", ".join(f'"{column}"' for column in (clock, *view.keys) if column in columns)
        for row in self._session.rows(f"{union} order by {order}", place=" and ".join(chosen)):
            yield dict(zip(columns, row, strict=True))

    def _chosen(self, view: View) -> tuple[str, ...] | None:
        """The views that are read for a resource: the first choice that is there, or parts of it.

        Of views that are read together one may be missing: it counts what was never used.
        """
        known = self._session.columns()
        for choice in view.choices:
            there = tuple(name for name in choice if name in known)
            if there:
                return there
        return None

    def _columns_of(self, view: View) -> tuple[tuple[str, ...], frozenset[str]] | None:
        """Columns to ask for, and those that are there and not documented; None: not read."""
        chosen = self._chosen(view)
        if chosen is None:
            if not view.is_optional:
                raise SourceError(
                    f"snowflake_cortex: {view.names[0]} is not visible: the role lacks the "
                    "database role SNOWFLAKE.USAGE_VIEWER"
                )
            _log.info("snowflake_cortex: %s: no view of it is there or granted", view.resource)
            return None
        there = frozenset.intersection(*(self._session.columns()[name] for name in chosen))
        missing = [name for name in (*view.keys, *view.money) if name not in there]
        if view.times and not there & set(view.times):
            missing.append(view.times[0])
        if missing:
            lacks = f"snowflake_cortex: {' and '.join(chosen)} has no {', '.join(missing)}"
            if not view.is_lenient:
                raise SourceError(lacks)
            _log.warning("%s: it is not read", lacks)
            return None
        return tuple(name for name in view.documented if name in there), there - set(
            view.documented
        )

    def _list_users(self) -> list[Record]:
        if self._listed is None:
            found = self._columns_of(USERS)
            self._listed = []
            if found is not None:
                columns, _ = found
                names = ", ".join(f'"{column}"' for column in columns)
                place = USERS.names[0]
                statement = f'select {names} from {_DATABASE}.{place} order by "USER_ID"'
                self._listed = [
                    {name: _plain(value) for name, value in zip(columns, row, strict=True)}
                    for row in self._session.rows(statement, place=place)
                ]
            for user in self._listed:
                self._users[str(count(user["USER_ID"]))] = user
                self._users[f"name:{user.get('NAME')}"] = user
        return self._listed


def _placed(
    view: View, key: str, rows: Iterable[tuple[datetime, Record]]
) -> Iterator[tuple[str, Record]]:
    """The records of a window with their places; a request once a model that served it."""
    for number, record in enumerate(map(itemgetter(1), rows), start=1):
        place = f"{view.resource} {key} row {number}"
        if view.resource not in _TOKENS_BY_MODEL:
            yield place, record
            continue
        tokens = _TOKENS_BY_MODEL[view.resource]
        for part in by_model(record, credits=view.money[0], tokens=tokens):
            yield place, part


def _joined(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Batches of many windows: a year of hours one by one would take dlt minutes."""
    held: list[Batch] = []
    for batch in batches:
        held.append(batch)
        if sum(part.read_count for part in held) >= BATCH_ROWS:
            yield _one(held)
            held = []
    if held:
        yield _one(held)


def _one(parts: list[Batch]) -> Batch:
    return Batch(
        rows=pa.concat_tables([part.rows for part in parts]),
        rejected=pa.concat_tables([part.rejected for part in parts]),
        reads=pa.concat_tables([part.reads for part in parts]),
    )


def _plain(value: Any) -> Any:
    """A value as contracts take it; a time without a zone stays without one and is refused."""
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00+00:00"
    if isinstance(value, Mapping | bytes):
        return None
    return value


def _moment(value: Any) -> datetime:
    """When a row stands: its time in UTC, a date at its beginning."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise SourceError("snowflake_cortex: a view counts time without a zone")
        return value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise SourceError("snowflake_cortex: a view's time is none")


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
