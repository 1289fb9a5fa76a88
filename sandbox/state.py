"""What the simulated vendors remember across restarts, in one SQLite file private to its owner.

Keys and teams with their limits, rows and objects added to the world, webhooks received and the
actions taken on keys. The world itself is not here: it is made again from its seed.
"""

import sqlite3
import threading
from pathlib import Path
from typing import Any

import orjson

_TABLES = """
create table if not exists documents (
    kind text not null, id text not null, body blob not null, primary key (kind, id)
);
create table if not exists events (
    id integer primary key, kind text not null, name text not null, body blob not null
);
"""


class State:
    """Documents by kind and id, and ordered events by kind and name; safe to use from threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.chmod(0o600)
        self._lock = threading.Lock()
        self._con = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._con.execute("pragma journal_mode = wal")
        self._con.executescript(_TABLES)

    def close(self) -> None:
        """Close the file; the state stays on disk."""
        with self._lock:
            self._con.close()

    def get(self, kind: str, *, id: str) -> Any | None:
        """The document, or None."""
        rows = self._read("select body from documents where kind = ? and id = ?", kind, id)
        return orjson.loads(rows[0][0]) if rows else None

    def all(self, kind: str) -> dict[str, Any]:
        """Every document of a kind by id, in the order they were added."""
        rows = self._read("select id, body from documents where kind = ? order by rowid", kind)
        return {id: orjson.loads(body) for id, body in rows}

    def put(self, kind: str, *, id: str, body: Any) -> None:
        """Write the document, replacing what was there."""
        self._write(
            "insert into documents (kind, id, body) values (?, ?, ?) "
            "on conflict (kind, id) do update set body = excluded.body",
            [(kind, id, orjson.dumps(body))],
        )

    def add(self, kind: str, *, documents: dict[str, Any]) -> list[str]:
        """Write those that are not there yet, at once or not at all; their ids."""
        known = {id for (id,) in self._read("select id from documents where kind = ?", kind)}
        new = {id: body for id, body in documents.items() if id not in known}
        self._write(
            "insert into documents (kind, id, body) values (?, ?, ?)",
            [(kind, id, orjson.dumps(body)) for id, body in new.items()],
        )
        return list(new)

    def record(self, kind: str, *, name: str, body: Any) -> None:
        """Append an event."""
        self._write(
            "insert into events (kind, name, body) values (?, ?, ?)",
            [(kind, name, orjson.dumps(body))],
        )

    def recorded(self, kind: str, *, name: str | None = None) -> list[Any]:
        """The events of a kind (and name), oldest first."""
        rows = self._read(
            "select body from events where kind = ?1 and (?2 is null or name = ?2) order by id",
            kind,
            name,
        )
        return [orjson.loads(body) for (body,) in rows]

    def _read(self, sql: str, *values: str | None) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._con.execute(sql, values).fetchall()

    def _write(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        with self._lock:
            self._con.execute("begin immediate")
            try:
                self._con.executemany(sql, rows)
            except BaseException:
                self._con.execute("rollback")
                raise
            self._con.execute("commit")
