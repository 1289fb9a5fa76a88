"""The spend log of a LiteLLM proxy on loopback: HTTP with its bounds, pages and cap, and faults."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

API_KEY = "sk-test-viewer-key"
Row = dict[str, Any]


@dataclass(frozen=True)
class Canned:
    """An answer given in place of the real one.

    It may hang before it starts, arrive in pieces of a few bytes, or be cut off before its end.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    drips: bool = False
    cut_bytes: int = 0


@dataclass
class SpendLogServer:
    """Rows and how they are told. `canned` answers are given first, in order, then real ones.

    `rewrite` changes a page before it is told, `after_page` changes the log after a page was read.
    """

    rows: list[Row] = field(default_factory=list)
    canned: list[Canned] = field(default_factory=list)
    rewrite: Callable[[Row], Row | str] | None = None
    after_page: Callable[[Row], None] | None = None
    cap: int = 10_000
    url: str = ""
    queries: list[dict[str, str]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def answer(self, query: dict[str, str]) -> str:
        """The body of one page, as the proxy tells it."""
        first_at, last_at = _bound(query["start_date"]), _bound(query["end_date"])
        found = sorted(
            (row for row in self.rows if first_at <= _start(row) <= last_at),
            key=_start,
            reverse=query["sort_order"] == "desc",
        )
        page, size = int(query["page"]), int(query["page_size"])
        total = min(len(found), self.cap)
        body: Row = {
            "data": found[(page - 1) * size : page * size],
            "total": total,
            "page": page,
            "page_size": size,
            "total_pages": -(-total // size),
            "total_is_capped": len(found) > self.cap,
        }
        if self.after_page:
            self.after_page(body)
        told = self.rewrite(body) if self.rewrite else body
        return told if isinstance(told, str) else json.dumps(told)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # An answer that hangs must not hold up the end of the test.
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Nothing on the terminal: clients that hang up are part of the tests."""


@contextmanager
def spend_log_server(rows: list[Row]) -> Iterator[SpendLogServer]:
    """A running proxy with these rows in its log."""
    log = SpendLogServer(rows=rows)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body are two writes, which would wait 40 ms for each other.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            path, _, text = self.path.partition("?")
            query = dict(parse_qsl(text))
            log.queries.append(query)
            if log.canned:
                _give(self, log.canned.pop(0), log.stopped)
            elif self.headers["Authorization"] != f"Bearer {API_KEY}":
                _give(self, Canned(401, b'{"error": {"type": "auth_error"}}'), log.stopped)
            elif path != "/spend/logs/v2":
                _give(self, Canned(404, b"{}"), log.stopped)
            else:
                _give(self, Canned(200, log.answer(query).encode()), log.stopped)

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            log.queries.append(dict(parse_qsl(urlsplit(self.path).query)))
            _give(self, log.canned.pop(0) if log.canned else Canned(200, sent), log.stopped)

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    log.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield log
    finally:
        log.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _give(handler: BaseHTTPRequestHandler, canned: Canned, stopped: threading.Event) -> None:
    if canned.hangs:
        handler.close_connection = True
        stopped.wait(30)
        return
    try:
        handler.send_response(canned.status)
        for name, value in canned.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(canned.body)))
        handler.end_headers()
        if canned.drips:
            for position in range(len(canned.body)):
                if stopped.wait(0.02):
                    break
                handler.wfile.write(canned.body[position : position + 1])
        else:
            handler.wfile.write(canned.body[: len(canned.body) - canned.cut_bytes])
    except ConnectionError:
        # The client gave up, which is what some tests want of it.
        handler.close_connection = True
    if canned.cut_bytes:
        handler.close_connection = True


def call(number: int, *, at: str = "2026-11-23T07:00:00.000+00:00", **fields: Any) -> Row:
    """A plain call: 100 tokens in, 10 out, for 0.001."""
    return {
        "request_id": f"call-{number}",
        "litellm_call_id": f"call-{number}",
        "call_type": "acompletion",
        "status": "success",
        "startTime": at,
        "endTime": at,
        "custom_llm_provider": "openai",
        "model": "gpt-4o-mini",
        "model_group": "gpt-4o-mini",
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "total_tokens": 110,
        "spend": 0.001,
        "metadata": {},
        **fields,
    }


def _bound(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def _start(row: Row) -> datetime:
    """When the row stands in the log; what cannot be read stands at the fixtures' day."""
    try:
        moment = datetime.fromisoformat(row["startTime"])
    except (KeyError, TypeError, ValueError):
        return datetime(2026, 11, 23, 7, tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
