"""B8: events the collector acknowledges a second, against the same server storing nothing.

Two client processes post batches of 100 over eight connections each, as fast as they are answered.
The reference is the same server, which signs in, reads and checks, and answers 204 without storing;
in the details stands a bare one too, which reads the body and does nothing else. Afterwards the
spool is drained, and every event that was acknowledged is looked for in the warehouse.
"""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from bench.measure import ROOT, Figure, middle

EXPECTED = 0.3
ROUNDS = 3
BATCH_EVENTS = 100
BATCHES = 300
CLIENTS = 2
CONNECTIONS = 8
_TOKEN = "bench-token"
_INSTANCE = "bench"


def measure(home: Path, *, rounds: int, batches: int) -> Figure:
    """The ratio of the median rates over interleaved server processes."""
    stored: list[float] = []
    dropped: list[float] = []
    bare: list[float] = []
    for number in range(rounds):
        bare.append(_rate(home / "bare", "bare", number, batches))
        dropped.append(_rate(home / "dropped", "drop", number, batches))
        stored.append(_rate(home / "kept", "store", number, batches))
    sent = rounds * CLIENTS * batches * BATCH_EVENTS
    rows, distinct = _drained(home / "kept")
    return Figure(
        id="B8",
        what="POST /v1/events in batches of 100, each on disk before its 202",
        reference="the same server answering 204 without storing",
        unit="events/s",
        measured=middle(stored),
        reference_measured=middle(dropped),
        ratio=middle(stored) / middle(dropped),
        expected=EXPECTED,
        is_upper_bound=False,
        rows=sent,
        peak_mb=None,
        note=f"{CLIENTS} client processes; {sent:,} events acknowledged, "
        f"{sent - distinct:,} lost, {rows - distinct:,} doubled in the warehouse",
        details={
            "ratio_to_a_bare_server": middle(stored) / middle(bare),
            "all_bare_rates": bare,
            "events_lost": sent - distinct,
            "events_doubled": rows - distinct,
            "all_rates": stored,
            "all_reference_rates": dropped,
        },
    )


def _rate(home: Path, mode: str, number: int, batches: int) -> float:
    """Events a second from the first request to the last answer of all clients."""
    home.mkdir(parents=True, exist_ok=True)
    with _running(["serve", str(home), mode]) as server:
        port = server.readline().strip()
        with ExitStack() as stack:
            clients = [
                stack.enter_context(_running(["push", port, f"{number}-{n}", str(batches)]))
                for n in range(CLIENTS)
            ]
            for client in clients:
                client.readline()  # its bodies are made
            started = time.perf_counter()
            for client in clients:
                client.go()
            for client in clients:
                client.readline()
            seconds = time.perf_counter() - started
    return CLIENTS * batches * BATCH_EVENTS / seconds


class _Process:
    """A process of this module, spoken to by lines."""

    def __init__(self, arguments: list[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.b08_collector", *arguments],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def readline(self) -> str:
        """Its next line; raises where it ended instead."""
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"{self._process.args} ended with {self._process.wait()}")
        return line

    def go(self) -> None:
        """Lets it go on."""
        if self._process.stdin:
            self._process.stdin.write("go\n")
            self._process.stdin.flush()

    def end(self) -> None:
        """Ends it and its pipes."""
        self._process.terminate()
        self._process.communicate()


@contextmanager
def _running(arguments: list[str]) -> Iterator[_Process]:
    process = _Process(arguments)
    try:
        yield process
    finally:
        process.end()


def _drained(home: Path) -> tuple[int, int]:
    """Rows in the warehouse once the spool is drained, and the distinct events among them."""
    from ingestion.collector.drain import collector_source
    from ingestion.pipeline import pipeline_for, run_source, warehouse_path

    source = collector_source(home=home, sources=(), now=datetime.now(UTC), environ={})
    run_source(pipeline_for("collector", instance=None, home=home), source)
    with duckdb.connect(str(warehouse_path(home)), read_only=True) as connection:
        row = connection.execute(
            "select count(*), count(distinct event_id) from raw_collector.events"
        ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def _serve(home: Path, mode: str) -> None:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from ingestion.collector.app import Collector
    from ingestion.collector.auth import senders_of
    from ingestion.collector.sources import CollectorSource

    class Dropping(Collector):
        async def _store(self, *_: Any) -> None:
            """Nothing is written."""

        def _answer(self, *_: Any) -> Response:
            return Response(status_code=204)

    async def bare(request: Request) -> Response:
        await request.body()
        return Response(status_code=204)

    source = CollectorSource(
        id=_INSTANCE, system="collector", evidence_layer="observability", push_token_env="T"
    )
    service = (Dropping if mode == "drop" else Collector)(
        home,
        senders=senders_of([source], {"T": _TOKEN}),
        pepper=b"bench",
        clock=lambda: datetime.now(UTC),
    )
    routes = [Route("/v1/events", bare, methods=["POST"])]
    app = Starlette(routes=routes) if mode == "bare" else service.app()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sys.stdout.write(f"{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        config = uvicorn.Config(app, access_log=False, log_level="warning", server_header=False)
        uvicorn.Server(config).run(sockets=[listening])


def _push(port: int, name: str, batches: int) -> None:
    bodies = [
        json.dumps([_event(f"{name}-{batch}-{n}") for n in range(BATCH_EVENTS)]).encode()
        for batch in range(batches)
    ]
    headers = {"content-type": "application/json", "authorization": f"Bearer {_TOKEN}"}
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(lambda n: _post(port, bodies[n::CONNECTIONS], headers), range(CONNECTIONS)))
    sys.stdout.write("done\n")
    sys.stdout.flush()


def _post(port: int, bodies: list[bytes], headers: dict[str, str]) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        for body in bodies:
            connection.request("POST", "/v1/events", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status not in (202, 204):
                raise SystemExit(f"answered {answer.status}")


def _event(event_id: str) -> dict[str, Any]:
    return {
        "event_name": "ai.usage",
        "event_id": event_id,
        "external_customer_id": "northwind",
        "timestamp": "2026-11-24T10:00:00.123Z",
        "properties": {
            "provider": "openai", "model": "gpt-4o-mini", "operation": "chat",
            "input_tokens": 1_234, "output_tokens": 321, "cached_tokens": 1_024,
            "reasoning_tokens": 64, "request_id": f"chatcmpl-{event_id}",
            "raw_user": "ada@acme.example", "raw_team": "team-search", "agent_id": "triage",
            "tags": {"feature": "search", "env": "prod"},
        },
    }  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve(Path(sys.argv[2]), sys.argv[3])
    else:
        _push(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
