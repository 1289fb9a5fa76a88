"""A LiteLLM proxy's management API and a webhook receiver: real HTTP on loopback, faults on cue."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ADMIN_KEY = "sk-sandbox-admin"
_ASKED_BY = {"key": "key", "team": "team_id", "user": "user_id", "customer": "end_user_id"}
_SHOWN_IN = {"key": "info", "team": "team_info", "user": "user_info"}


@dataclass
class FakeGateway:
    """Keys by hash; teams, users and customers as `team:<id>`.

    `faults` maps a path to answers given before the real ones.

    A fault is a status, or `drop` (act, then cut the connection), or `stale` (show the key as it
    was before the last write).
    """

    keys: dict[str, dict[str, Any]]
    url: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    writes: list[tuple[str, bool]] = field(default_factory=list)  # that changed the block
    faults: dict[str, list[int | str]] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)  # target -> status, until taken out
    lock: threading.Lock = field(default_factory=threading.Lock)
    before_write: dict[str, dict[str, Any]] = field(default_factory=dict)
    # What happens while the first call to a path waits for its answer.
    meanwhile: dict[str, Callable[[], None]] = field(default_factory=dict)

    def count(self, method: str) -> int:
        """How many calls came in with this method."""
        return sum(1 for each in self.calls if each[0] == method)

    def add(self, target: str) -> None:
        """A team, user or customer."""
        kind = target.partition(":")[0]
        has_block = kind != "user"
        state = {"max_budget": 50.0, "spend": 3.5, **({"blocked": False} if has_block else {})}
        self.keys[target] = state if kind == "customer" else {**state, "metadata": {"a": 1}}

    def person_sets(self, key: str, *, blocked: bool) -> None:
        """What /key/block and /key/unblock do: the metadata stays."""
        self.keys[key]["blocked"] = blocked


@dataclass
class FakeReceiver:
    """Deliveries in order. `answers` are given first, then 204; `drop` acts, then cuts.

    An answer is a status, with or without headers, or what 200 says.
    """

    url: str = ""
    deliveries: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int | str | tuple[int, dict[str, str]] | dict[str, Any]] = field(
        default_factory=list
    )
    lock: threading.Lock = field(default_factory=threading.Lock)

    def bodies(self) -> dict[str, set[bytes]]:
        """Every body by message id."""
        found: dict[str, set[bytes]] = {}
        for headers, body in self.deliveries:
            found.setdefault(headers["webhook-id"], set()).add(body)
        return found


@contextmanager
def gateway_server(keys: dict[str, dict[str, Any]]) -> Iterator[FakeGateway]:
    """A running gateway with these keys (`blocked`, `metadata`)."""
    gateway = FakeGateway(keys={name: _key(values) for name, values in keys.items()})

    def get(handler: BaseHTTPRequestHandler) -> None:
        path, query = _split(handler)
        if not _admit(gateway, handler, path):
            return
        kind = path.split("/")[1]
        asked = parse_qs(query).get(_ASKED_BY.get(kind, ""), [""])[0]
        name = asked if kind == "key" else f"{kind}:{asked}"
        fault = gateway.broken.get(name) or _fault(gateway, path)
        if isinstance(fault, int):
            return _answer(handler, fault, {"error": {"type": "scripted"}})
        if path != f"/{kind}/info" or name not in gateway.keys:
            return _answer(handler, 404, {"error": {"type": "not_found_error"}})
        shown = gateway.before_write.get(name) if fault == "stale" else gateway.keys[name]
        shown_in = _SHOWN_IN.get(kind)
        return _answer(handler, 200, {shown_in: shown} if shown_in else dict(shown or {}))

    def post(handler: BaseHTTPRequestHandler) -> None:
        path, _ = _split(handler)
        sent = json.loads(_body(handler))
        if not _admit(gateway, handler, path):
            return
        fault = _fault(gateway, path)
        if isinstance(fault, int):
            return _answer(handler, fault, {"error": {"type": "scripted"}})
        kind = path.split("/")[1]
        asked = sent.pop({"key": "key", "team": "team_id"}.get(kind, "user_id"), "")
        name = asked if kind == "key" else f"{kind}:{asked}"
        if path != f"/{kind}/update" or name not in gateway.keys:
            return _answer(handler, 404, {"error": {"type": "not_found_error"}})
        with gateway.lock:
            state = gateway.keys[name]
            gateway.before_write[name] = dict(state)
            if state.get("blocked") != sent.get("blocked", state.get("blocked")):
                gateway.writes.append((name, sent["blocked"]))
            gateway.keys[name] = {**state, **sent}
        if fault == "drop":
            return _cut(handler)
        return _answer(handler, 200, {"key": name})

    with _serving(get, post) as url:
        gateway.url = url
        yield gateway


@contextmanager
def receiver_server() -> Iterator[FakeReceiver]:
    """A running webhook receiver."""
    receiver = FakeReceiver()

    def post(handler: BaseHTTPRequestHandler) -> None:
        body = _body(handler)
        with receiver.lock:
            headers = {name.lower(): value for name, value in handler.headers.items()}
            receiver.deliveries.append((headers, body))
            answer = receiver.answers.pop(0) if receiver.answers else 204
        if answer == "drop":
            return _cut(handler)
        if isinstance(answer, dict):
            return _answer(handler, 200, answer)
        if isinstance(answer, tuple):
            return _answer(handler, answer[0], {}, answer[1])
        return _answer(handler, int(answer), {})

    with _serving(lambda handler: _answer(handler, 405, {}), post) as url:
        receiver.url = f"{url}/hook"
        yield receiver


@contextmanager
def _serving(
    get: Callable[[BaseHTTPRequestHandler], None], post: Callable[[BaseHTTPRequestHandler], None]
) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            get(self)

        def do_POST(self) -> None:
            post(self)

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _key(values: dict[str, Any]) -> dict[str, Any]:
    return {"blocked": False, "metadata": {}, "max_budget": 100.0, "spend": 3.5, **values}


def _admit(gateway: FakeGateway, handler: BaseHTTPRequestHandler, path: str) -> bool:
    with gateway.lock:
        gateway.calls.append((handler.command, path))
        meanwhile = gateway.meanwhile.pop(path, None)
    if meanwhile:
        meanwhile()
    if handler.headers.get("Authorization") == f"Bearer {ADMIN_KEY}":
        return True
    _answer(handler, 401, {"error": {"type": "auth_error"}})
    return False


def _fault(gateway: FakeGateway, path: str) -> int | str | None:
    with gateway.lock:
        waiting = gateway.faults.get(path)
        return waiting.pop(0) if waiting else None


def _split(handler: BaseHTTPRequestHandler) -> tuple[str, str]:
    parts = urlsplit(handler.path)
    return parts.path, parts.query


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    return handler.rfile.read(int(handler.headers.get("Content-Length", "0")))


def _answer(
    handler: BaseHTTPRequestHandler,
    status: int,
    body: dict[str, Any],
    headers: dict[str, str] | None = None,
) -> None:
    text = b"" if status == 204 else json.dumps(body).encode()
    handler.send_response(status)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(text)))
    handler.end_headers()
    handler.wfile.write(text)


def _cut(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.wfile.close()
