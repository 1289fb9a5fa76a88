"""A real Postgres of its own, from the binaries on this machine, in a folder that goes again."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

_USER = "meterhouse"


def _binary(name: str) -> str | None:
    found = [*Path("/usr/lib/postgresql").glob(f"*/bin/{name}")]
    return str(max(found)) if found else shutil.which(name)


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a running server; skips the test where no Postgres is installed."""
    initdb, server = _binary("initdb"), _binary("postgres")
    if initdb is None or server is None:
        pytest.skip("Postgres is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="meterhouse-postgres-"))
    # Postgres refuses to run as root: its package made a user for it.
    who = {"user": "postgres"} if os.geteuid() == 0 else {}
    if who:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    try:
        subprocess.run(
            [initdb, "-D", data, "-U", _USER, "--auth=trust", "--no-sync", "-E", "UTF8"],
            check=True,
            capture_output=True,
            cwd=folder,
            **who,
        )
        port = _free_port()
        process = subprocess.Popen(
            [server, "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            **who,
        )
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "ready to accept connections" in line:
                    break
            yield f"postgresql://{_USER}@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # a fast shutdown waits for nobody
            process.communicate(timeout=60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def empty_database(server: str) -> str:
    """The URL of a new database at a running server."""
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    name = f"ops_{random.SystemRandom().randrange(10**12)}"
    with admin.connect() as connection:
        connection.execute(text(f"create database {name}"))
    admin.dispose()
    return f"{server.rpartition('/')[0]}/{name}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
