"""One attempt: bytes sent to one checked address, and what came back.

A `Line` keeps its connection between messages. No redirect is followed, no proxy of the environment
is used, and an exchange ends within its seconds however slowly the other side drips.
"""

import contextlib
import hashlib
import http.client
import io
import select
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from orchestration.governance.addresses import AddressRefused, Target

_READ_AT_MOST = 8_192


@dataclass(frozen=True)
class Response:
    """What an attempt came to; `repr` shows no address, no header we sent and no text we got."""

    status_code: int | None
    error_class: str | None
    resp_sha: str | None
    retry_after: str | None
    body: bytes = field(default=b"", repr=False)  # its first 8 kB


class Line:
    """One way to one receiver: `target` resolves and checks it anew for each connection."""

    def __init__(self, target: Callable[[], Target], *, timeout_seconds: float) -> None:
        self._target_of = target
        self._timeout_seconds = timeout_seconds
        self._target: Target | None = None
        self._socket: _TimedSocket | None = None
        self._http: http.client.HTTPConnection | None = None
        self._failure: Response | None = None

    def close(self) -> None:
        """Ends the connection; the next message opens another."""
        if self._http is not None:
            self._http.close()
        if self._socket is not None:
            self._socket.close()
        self._http = self._socket = None

    def post(self, *, body: bytes, headers: Mapping[str, str]) -> Response:
        """The response to one POST of these bytes."""
        self.begin("POST", "", body=body, headers=headers)
        return self.finish()

    def get(self, *, query: str, headers: Mapping[str, str]) -> Response:
        """The response to one GET with this query."""
        self.begin("GET", query, body=None, headers=headers)
        return self.finish()

    def begin(
        self, method: str, query: str, *, body: bytes | None, headers: Mapping[str, str]
    ) -> bool:
        """True if the request is on its way; `finish` gives the response either way."""
        self._failure = None
        deadline = time.monotonic() + self._timeout_seconds
        try:
            connection, wire, target = self._connected(deadline)
            join = ("&" if "?" in target.path else "?") if query else ""
            connection.request(
                method,
                f"{target.path}{join}{query}",
                body=body,
                headers={
                    "Content-Type": "application/json",
                    "User-Agent": "meterhouse-webhooks/1",
                    **headers,
                    "Host": target.host_header,
                },
            )
            wire.flush()
        except (AddressRefused, OSError, http.client.HTTPException) as error:
            self._fail(error)
        return self._failure is None

    def finish(self) -> Response:
        """The response to what was begun."""
        if self._failure is not None or self._http is None:
            return self._failure or Response(None, "NothingBegun", None, None)
        try:
            response = self._http.getresponse()
        except (OSError, http.client.HTTPException) as error:
            return self._fail(error)
        seen = b""
        with contextlib.suppress(OSError, http.client.HTTPException):
            seen = response.read(_READ_AT_MOST)  # the status is what counts
        if not response.isclosed() or self._http.sock is None:
            response.close()
            self.close()
        return Response(
            response.status,
            None,
            hashlib.sha256(seen).hexdigest(),
            response.getheader("Retry-After"),
            seen,
        )

    def _fail(self, error: Exception) -> Response:
        self.close()
        self._failure = Response(None, type(error).__name__, None, None)
        return self._failure

    def _connected(
        self, deadline: float
    ) -> tuple[http.client.HTTPConnection, "_TimedSocket", Target]:
        if self._http and self._target and self._socket and not self._socket.is_dropped():
            self._socket.deadline = deadline
            return self._http, self._socket, self._target
        self.close()
        target = self._target_of()
        connection = http.client.HTTPConnection(target.host, target.port)
        # It must never dial the name by itself: what was checked is the address.
        connection.auto_open = 0
        self._socket = _TimedSocket(_dial(target, deadline), deadline)
        connection.sock = self._socket
        self._http, self._target = connection, target
        return connection, self._socket, target


def retry_after_seconds(value: str | None, *, now: datetime) -> float | None:
    """A Retry-After header (seconds or a date) in seconds from `now`."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _dial(target: Target, deadline: float) -> socket.socket:
    left = deadline - time.monotonic()
    plain = socket.create_connection((target.address, target.port), timeout=max(left, 0.001))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not target.is_tls:
        return plain
    try:
        # The certificate is checked against the name although the address was dialled.
        context = ssl.create_default_context()
        return context.wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise


class _TimedSocket:
    """What `http.client` needs of a socket, every part of it before one deadline.

    Head and body of a request are kept until `flush`, and leave as one.
    """

    def __init__(self, plain: socket.socket, deadline: float) -> None:
        self.plain = plain
        self.deadline = deadline
        self._unsent: list[bytes] = []

    def allow(self) -> None:
        """Gives the next call what is left of the time; TimeoutError when nothing is."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.plain.settimeout(left)

    def is_dropped(self) -> bool:
        """True if the other side hung up, or says something unasked, between two exchanges."""
        poll = select.poll()
        poll.register(self.plain, select.POLLIN)
        return bool(poll.poll(0))

    def sendall(self, data: bytes) -> None:
        self._unsent.append(data)

    def flush(self) -> None:
        whole, self._unsent = b"".join(self._unsent), []
        self.allow()
        self.plain.sendall(whole)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self))

    def close(self) -> None:
        self.plain.close()


class _TimedReader(io.RawIOBase):
    def __init__(self, timed: _TimedSocket) -> None:
        self._timed = timed
        self._raw = timed.plain.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._timed.allow()
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
