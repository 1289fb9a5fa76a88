"""The spool: what was accepted, on disk in SQLite until the warehouse has it.

Requests that wait together share one commit, which costs one fsync; a request is answered only
after it. The warehouse's loader reads rows by their sequence and removes those that its own cursor
shows as loaded (`loaded_up_to`); sequences are never used again.
"""

import asyncio
import queue
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ingestion.checkpoints import checkpoint
from ingestion.collector.auth import SKEW_SECONDS, Delivery
from ingestion.collector.stored import Row, Taken, rows_in

_MOST_A_COMMIT = 256
_REMOVED_AT_ONCE = 1_000
_WAIT_SECONDS = 30
_TABLES = """
create table if not exists spool (spool_id text not null);
create table if not exists entries (
    sequence integer primary key autoincrement,
    kind text not null,
    source_instance text not null,
    received_at text not null,
    rows_count integer not null,
    content blob not null
);
create table if not exists deliveries (
    source_instance text not null,
    delivery_id text not null,
    signed_at integer not null,
    primary key (source_instance, delivery_id, signed_at)
) without rowid;
"""
_INSERT = (
    "insert into entries (kind, source_instance, received_at, rows_count, content)"
    " values (?, ?, ?, ?, ?)"
)


class SpoolFull(Exception):
    """The spool takes no more: it is at its limit, or the disk cannot be written."""


class Replayed(Exception):
    """A signed delivery that came before."""


@dataclass(frozen=True)
class Entry:
    """What one request brought, and the signed delivery it came with, if any."""

    kind: str
    source_instance: str
    received_at: datetime
    taken: Taken
    delivery: Delivery | None = None


def spool_path(home: Path) -> Path:
    """Where the spool lies."""
    return home / "collector.sqlite"


class Spool:
    """The one writer of the spool: a thread that commits what waits, again and again."""

    def __init__(self, path: Path, *, most_bytes: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        self._most_bytes = most_bytes
        self._waiting: queue.SimpleQueue[_Ticket | None] = queue.SimpleQueue()
        path.touch(mode=0o600)
        with closing(self._connect()) as connection:
            connection.execute("begin immediate")
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            # Sequences of another spool say nothing about this one: it has a name of its own.
            connection.execute(
                "insert into spool select ? where not exists (select 1 from spool)",
                (uuid.uuid4().hex,),
            )
            connection.execute("commit")
        self._thread = threading.Thread(target=self._write_on, name="spool", daemon=True)
        self._thread.start()

    async def write(self, entry: Entry) -> None:
        """Returns once the entry is on disk; raises SpoolFull or Replayed where it is not."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put(_Ticket(entry, future))
        await future

    def close(self) -> None:
        """Commits what waits and ends."""
        self._waiting.put(None)
        self._thread.join()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        return connection

    def _write_on(self) -> None:
        with closing(self._connect()) as connection:
            while (first := self._waiting.get()) is not None:
                tickets, is_last = [first], False
                while len(tickets) < _MOST_A_COMMIT:
                    try:
                        ticket = self._waiting.get_nowait()
                    except queue.Empty:
                        break
                    if ticket is None:
                        is_last = True
                        break
                    tickets.append(ticket)
                self._commit(connection, tickets)
                if is_last:
                    return

    def _commit(self, connection: sqlite3.Connection, tickets: "list[_Ticket]") -> None:
        """One transaction over all of them; each learns how it ended, none before the commit."""
        outcomes: list[Exception | None] = []
        try:
            if _size_of(connection) > self._most_bytes:
                raise SpoolFull
            connection.execute("begin immediate")
            for ticket in tickets:
                outcomes.append(_insert(connection, ticket))
            checkpoint("spool.before_commit")
            connection.execute("commit")
            checkpoint("spool.after_commit")
        except Exception as error:
            if connection.in_transaction:
                connection.execute("rollback")
            known = isinstance(error, sqlite3.Error | SpoolFull)
            outcomes = [SpoolFull() if known else error] * len(tickets)
        loop = tickets[0].future.get_loop()
        loop.call_soon_threadsafe(_settle, tickets, outcomes)


@dataclass(frozen=True)
class _Ticket:
    entry: Entry
    future: "asyncio.Future[None]"


def _insert(connection: sqlite3.Connection, ticket: _Ticket) -> Exception | None:
    entry = ticket.entry
    if entry.delivery is not None:
        signed_at = entry.delivery.timestamp
        connection.execute(
            "delete from deliveries where signed_at < ?", (signed_at - 3 * SKEW_SECONDS,)
        )
        taken = connection.execute(
            "insert or ignore into deliveries values (?, ?, ?)",
            (entry.source_instance, entry.delivery.id, signed_at),
        )
        if taken.rowcount == 0:
            return Replayed()
    if entry.taken.rows_count:
        received_at = entry.received_at.astimezone(UTC).isoformat()
        count, content = entry.taken.rows_count, entry.taken.content
        values = (entry.kind, entry.source_instance, received_at, count, content)
        connection.execute(_INSERT, values)
    return None


def _settle(tickets: list[_Ticket], outcomes: list[Exception | None]) -> None:
    for ticket, outcome in zip(tickets, outcomes, strict=True):
        if ticket.future.done():
            continue  # its request was given up
        if outcome is None:
            ticket.future.set_result(None)
        else:
            ticket.future.set_exception(outcome)


def _size_of(connection: sqlite3.Connection) -> int:
    [pages] = connection.execute("pragma page_count").fetchone()
    [free] = connection.execute("pragma freelist_count").fetchone()
    [size] = connection.execute("pragma page_size").fetchone()
    return int((pages - free) * size)


@dataclass(frozen=True)
class Newest:
    """Which spool it is, and the last sequence in it; 0 where it is empty."""

    spool_id: str
    last_sequence: int


@dataclass(frozen=True)
class Held:
    """What the spool holds now."""

    entries_count: int
    rows_count: int
    size_bytes: int
    oldest_received_at: datetime | None


def newest(path: Path) -> Newest | None:
    """What came last; None where there is no spool."""
    if not path.exists():
        return None
    with closing(_reader(path)) as connection:
        if not _is_made(connection):
            return None
        [spool_id] = connection.execute("select spool_id from spool").fetchone()
        [last] = connection.execute("select coalesce(max(sequence), 0) from entries").fetchone()
        return Newest(spool_id, last)


def held(path: Path) -> Held | None:
    """What the spool holds; None where there is no spool."""
    if not path.exists():
        return None
    with closing(_reader(path)) as connection:
        if not _is_made(connection):
            return None
        count, rows, oldest = connection.execute(
            "select count(*), coalesce(sum(rows_count), 0), min(received_at) from entries"
        ).fetchone()
        return Held(
            entries_count=count,
            rows_count=rows,
            size_bytes=_size_of(connection),
            oldest_received_at=datetime.fromisoformat(oldest) if oldest else None,
        )


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_WAIT_SECONDS)


def _is_made(connection: sqlite3.Connection) -> bool:
    """Whether its tables are there: they are made together, just after the file."""
    tables = connection.execute("select count(*) from sqlite_schema where name = 'deliveries'")
    return bool(tables.fetchone()[0])


def rows_after(
    path: Path, *, kind: str, after: int, up_to: int, source_instance: str
) -> Iterator[tuple[str, Row]]:
    """Where each row stands, and the row, in the order of their coming."""
    with closing(_reader(path)) as connection:
        entries = connection.execute(
            "select sequence, content from entries where sequence > ? and sequence <= ?"
            " and kind = ? and source_instance = ? order by sequence",
            (after, up_to, kind, source_instance),
        )
        for sequence, content in entries:
            for position, row in enumerate(rows_in(content, instance=source_instance), start=1):
                yield f"spool {sequence:012} record {position:06}", row


def instances_after(path: Path, *, kind: str, after: int, up_to: int) -> list[str]:
    """The senders of what came after a sequence."""
    with closing(_reader(path)) as connection:
        found = connection.execute(
            "select distinct source_instance from entries where sequence > ? and sequence <= ?"
            " and kind = ? order by source_instance",
            (after, up_to, kind),
        )
        return [instance for (instance,) in found]


def remove_loaded(path: Path, *, kind: str, loaded_up_to: int) -> None:
    """Removes the rows of a kind that the warehouse has; a little at a time, senders wait."""
    with closing(sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)) as connection:
        while True:
            done = connection.execute(
                "delete from entries where sequence in (select sequence from entries"
                " where sequence <= ? and kind = ? limit ?)",
                (loaded_up_to, kind, _REMOVED_AT_ONCE),
            )
            if done.rowcount < _REMOVED_AT_ONCE:
                return
