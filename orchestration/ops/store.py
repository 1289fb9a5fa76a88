"""An open operational store, migrated to the newest shape, and its one way of writing."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import ConnectionPoolEntry

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_MS = 30_000
# One number for the whole store: writers take turns on Postgres as they do on SQLite.
_ADVISORY_LOCK = 7_205_759_403

Transaction = Callable[[], AbstractContextManager[Connection]]


def open_store(url: str) -> Engine:
    """The store at `url`, created (0600) if it is missing and upgraded if it is older.

    Call `dispose()` on it when done.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = _open_sqlite(parsed)
    else:
        engine = create_engine(parsed, pool_pre_ping=True)
    _upgrade(engine)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A connection inside one exclusive write transaction: committed whole or not at all."""
    with engine.connect() as connection:
        connection = connection.execution_options(ops_begin="begin immediate")
        with connection.begin():
            _take_turn(connection)
            yield connection


@contextmanager
def relaxed_writing(engine: Engine) -> Iterator[Transaction]:
    """Write transactions on one connection, committed without waiting for the disk.

    They outlive a killed process; a power cut may undo the last ones. So for records alone whose
    loss repeats what may be repeated: leases and deliveries.
    """
    with engine.connect() as connection:
        connection = connection.execution_options(ops_begin="begin immediate")
        is_sqlite = engine.dialect.name == "sqlite"

        @contextmanager
        def transaction() -> Iterator[Connection]:
            with connection.begin():
                if not is_sqlite:
                    connection.execute(text("set local synchronous_commit = off"))
                _take_turn(connection)
                yield connection

        try:
            if is_sqlite:
                _by_driver(connection, "pragma synchronous = normal")
            yield transaction
        finally:
            if is_sqlite:
                _by_driver(connection, "pragma synchronous = full")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection inside one read transaction: everything seen is of one moment."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


def _take_turn(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("select pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK}
        )


def _by_driver(connection: Connection, statement: str) -> None:
    """Runs it below SQLAlchemy, which would begin a transaction first."""
    cursor = connection.connection.cursor()
    cursor.execute(statement)
    cursor.close()


def _open_sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ValueError("the ops store must be a file: promises kept in memory are lost")
    path = Path(url.database)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Created before SQLite sees it: the WAL files inherit the mode of the main file.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def prepare(connection: object, _: ConnectionPoolEntry) -> None:
        # The driver must not open transactions by itself: `begin` below says which kind.
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in (
            f"busy_timeout = {_BUSY_MS}",
            "journal_mode = wal",
            "synchronous = full",
            "foreign_keys = on",
            "recursive_triggers = on",  # else REPLACE deletes past the triggers that refuse it
        ):
            cursor.execute(f"pragma {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        kind = connection.get_execution_options().get("ops_begin", "begin")
        _by_driver(connection, kind)

    return engine


def _upgrade(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    head = ScriptDirectory.from_config(config).get_current_head()
    with reading(engine) as connection:
        if MigrationContext.configure(connection).get_current_revision() == head:
            return
    with writing(engine) as connection:  # a second opener waits here, then finds it done
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
