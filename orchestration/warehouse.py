"""The one writer of the DuckDB files, and the publishing of the marts.

DuckDB is exclusive both ways: a writer blocks readers, an open reader blocks the writer. So runs
and `meterhouse run` take one file lock, and readers get a copy that is renamed into place.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ingestion.checkpoints import checkpoint
from ingestion.pipeline import warehouse_path

_ORPHAN_SECONDS = 600
_RETRY_SECONDS = 0.5


@contextmanager
def writer_lock(home: Path) -> Iterator[None]:
    """Waits until no other process writes the warehouse; the kernel releases it if we die."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / "writer.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for path in (warehouse_path(home), building_marts(home)):
            _wait_until_free(path)
        yield


def _wait_until_free(path: Path) -> None:
    """Waits for the dbt process of a killed run, which holds the file until it notices."""
    deadline = time.monotonic() + _ORPHAN_SECONDS
    while path.exists():
        try:
            duckdb.connect(str(path)).close()
            return
        except duckdb.IOException:
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)


def building_marts(home: Path) -> Path:
    """The file that marts are built in; attached by dbt, never read by others."""
    return home / "marts_build.duckdb"


def publish_marts(home: Path, *, to: Path) -> int:
    """Copies the built marts beside the published ones, renames them into place; the size in bytes.

    A reader that holds the old file keeps reading the old snapshot.
    """
    built = building_marts(home)
    with duckdb.connect(str(built)) as connection:
        connection.execute("checkpoint")
    fresh = to.with_suffix(".publishing")
    shutil.copyfile(built, fresh)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    checkpoint("publish.before_rename")
    fresh.replace(to)
    checkpoint("publish.after_rename")
    return to.stat().st_size


@contextmanager
def published_marts(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection to the published marts."""
    connection = duckdb.connect(str(path), read_only=True)
    try:
        yield connection
    finally:
        connection.close()
