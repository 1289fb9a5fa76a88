"""A Snowflake account on loopback with the views a test gives it, and loads from it."""

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from raw_loads import FIXTURES
from starlette.applications import Starlette

from ingestion.pipeline import pipeline_for, run_source
from ingestion.snowflake_cortex import snowflake_cortex_source
from sandbox.faults import Faults
from sandbox.snowflake_account import SnowflakeAccount, new_private_key
from sandbox.snowflake_columns import COLUMNS

INSTANCE = "snowflake-main"
NOW = datetime(2026, 11, 20, 13, 30, tzinfo=UTC)
KEY = new_private_key()
Rows = dict[str, list[dict[str, Any]]]


@dataclass
class Account:
    """A running account: `rows` by the name of their view; views not named are not there."""

    rows: Rows
    url: str = ""
    faults: Faults = field(default_factory=Faults)
    held: SnowflakeAccount | None = None

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """The views by schema and name."""
        return {name: self.rows[view] for name in COLUMNS if (view := short(name)) in self.rows}

    def show(self, **rows: list[dict[str, Any]]) -> None:
        """Replaces what these views hold."""
        self.rows |= rows
        assert self.held is not None
        self.held.changed()


def short(name: str) -> str:
    """A view's name without its schema."""
    return name.partition(".")[2]


def fixture(folder: str) -> Rows:
    """The views of a folder of fixtures, one file a view."""
    return {
        path.stem: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in sorted((FIXTURES / "snowflake_cortex" / folder).glob("*.jsonl"))
    }


@contextmanager
def snowflake_server(rows: Rows) -> Iterator[Account]:
    """The account, and faults in the way of its paths."""
    running = Account(rows=rows)
    running.held = SnowflakeAccount(
        account="acme-prod",
        user="METERHOUSE",
        role="METERHOUSE_READER",
        private_key=lambda: KEY,
        tables=running.tables,
    )
    application = running.faults.around(Starlette(routes=running.held.routes()))
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(64)
    running.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(
        uvicorn.Config(
            application, log_config=None, lifespan="off", loop="asyncio", http="h11", ws="none"
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


def load(
    home: Path,
    url: str,
    *,
    now: datetime = NOW,
    deep_reread: bool = False,
    private_key: str = KEY,
    role: str = "METERHOUSE_READER",
    days: int = 365,
    only: Sequence[str] = (),
) -> None:
    """One run of the source, or of some of its resources."""
    source = snowflake_cortex_source(
        account="acme-prod",
        user="METERHOUSE",
        role=role,
        warehouse="METERHOUSE_WH",
        private_key=private_key,
        private_key_passphrase=None,
        endpoint_url=url,
        instance=INSTANCE,
        now=now,
        deep_reread=deep_reread,
        history=timedelta(days=days),
    )
    if only:
        suffixes = ("", "__rejected", "__reads")
        source = source.with_resources(*(name + suffix for name in only for suffix in suffixes))
    run_source(pipeline_for("snowflake_cortex", instance=INSTANCE, home=home), source)
