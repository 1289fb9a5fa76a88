"""B11: webhooks delivered a second, each recorded, against sequential POSTs by one session.

Messages as large as an alert wait for one endpoint; a dispatch claims, signs, sends and records
each one in the store that ships (SQLite), oldest first, up to eight on their way at a time. The
reference posts the same bytes to the same receiver with one `requests.Session` and records nothing.
The receiver is a process of its own that answers 204; afterwards every message has its recorded
attempt, and was received once.
"""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import requests
from sqlalchemy import func, select

from bench.measure import ROOT, Figure, middle
from orchestration.governance.bodies import single_body
from orchestration.governance.endpoints import EndpointConfig, sync_endpoints
from orchestration.governance.webhooks import dispatch
from orchestration.ops.lease import holder_name
from orchestration.ops.outbox import enqueue
from orchestration.ops.store import open_store, reading, writing
from orchestration.ops.tables import delivery_attempt

EXPECTED = 1.0
ROUNDS = 3
MESSAGES = 10_000
_BODY_BYTES = 1_500
_SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def measure(home: Path, *, rounds: int, messages: int) -> Figure:
    """The ratio of the median rates over interleaved rounds, each with a store of its own."""
    dispatched: list[float] = []
    posted: list[float] = []
    recorded = received = 0
    for number in range(rounds):
        with _receiver() as url:
            posted.append(_posting_rate(url, messages))
        with _receiver() as url:
            rate, attempts = _dispatching_rate(home / f"ops-{number}.sqlite", url, messages)
            received += requests.get(url, timeout=30).json()["distinct"]
        dispatched.append(rate)
        recorded += attempts
    wanted = rounds * messages
    return Figure(
        id="B11",
        what="dispatch of due webhooks to a loopback receiver, each signed and recorded",
        reference="sequential POSTs by one requests.Session",
        unit="messages/s",
        measured=middle(dispatched),
        reference_measured=middle(posted),
        ratio=middle(dispatched) / middle(posted),
        expected=EXPECTED,
        is_upper_bound=False,
        rows=wanted,
        peak_mb=None,
        note=f"one endpoint, oldest first, eight at a time; {recorded:,} attempts recorded of "
        f"{wanted:,} messages, {wanted - received:,} not received",
        details={
            "attempts_recorded": recorded,
            "messages_lost": wanted - received,
            "all_rates": dispatched,
            "all_reference_rates": posted,
        },
    )


def _dispatching_rate(path: Path, url: str, messages: int) -> tuple[float, int]:
    """Messages a second, and how many attempts the store then holds."""
    at = datetime.now(UTC)
    engine = open_store(f"sqlite:///{path}")
    endpoint = EndpointConfig(id="bench", url=url, secret_env="SECRET", allow_insecure=True)
    sync_endpoints(engine, [endpoint])
    with writing(engine) as connection:
        for number in range(messages):
            enqueue(
                connection,
                subject_kind="bench",
                subject_id=str(number),
                event_type="budget.threshold_reached",
                endpoint_ids=["bench"],
                body=_body(number, at),
                created_at=at,
            )
    started = time.perf_counter()
    done = dispatch(
        engine,
        now=lambda: datetime.now(UTC),
        environ={"SECRET": _SECRET},
        limit=messages,
        worker=holder_name(),
        jitter=random.Random(11),
    )
    seconds = time.perf_counter() - started
    with reading(engine) as connection:
        attempts = connection.scalar(select(func.count()).select_from(delivery_attempt))
    engine.dispose()
    return done.count("delivered") / seconds, int(attempts or 0)


def _posting_rate(url: str, messages: int) -> float:
    at = datetime.now(UTC)
    bodies = [_body(number, at) for number in range(messages)]
    with requests.Session() as session:
        session.trust_env = False
        started = time.perf_counter()
        for number, body in enumerate(bodies):
            headers = {"Content-Type": "application/json", "webhook-id": f"msg_{number}"}
            session.post(url, data=body, headers=headers, timeout=30).raise_for_status()
        return messages / (time.perf_counter() - started)


def _body(number: int, at: datetime) -> bytes:
    data = {"number": number, "filler": "x" * _BODY_BYTES}
    return single_body("budget.threshold_reached", timestamp=at, data=data)


@contextmanager
def _receiver() -> Iterator[str]:
    """The address of a receiver in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.b11_webhooks"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/hook"
    finally:
        process.terminate()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


class _Receiver(asyncio.Protocol):
    """HTTP as far as a benchmark needs it: 204 to a POST, the count of its ids to a GET."""

    ids: set[bytes] = set()  # noqa: RUF012 (one for all connections)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            lines = self._buffer[:end].split(b"\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(b": ") for line in lines[1:])}
            size = end + 4 + int(headers.get(b"content-length", b"0"))
            if len(self._buffer) < size:
                return
            self._buffer = self._buffer[size:]
            self._answer(lines[0], headers.get(b"webhook-id", b""))

    def _answer(self, asked: bytes, message_id: bytes) -> None:
        assert isinstance(self._transport, asyncio.Transport)
        if asked.startswith(b"POST"):
            self.ids.add(message_id)
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            return
        body = json.dumps({"distinct": len(self.ids)}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Receiver, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
