"""One HTTP client for every source: timeouts, retries with Retry-After, caps, redaction.

Errors name the method, host, path and status; never a query string, header or body, since any of
them may hold a secret or somebody's prompt (reliability S01, S05).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from dlt.sources.helpers.requests import Client
from urllib3.exceptions import HTTPError

from ingestion.json_text import decode_json

_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_BODY_SECONDS = 600
_MAX_ATTEMPTS = 5
_MAX_RETRY_DELAY_SECONDS = 120
# The first pause between tries, unless the answer's Retry-After says another; doubled each time.
BACKOFF_SECONDS = 1.0
_RETRIED_STATUSES = (408, 429, 500, 502, 503, 504)
_CHUNK_BYTES = 1 << 20


class SourceError(Exception):
    """A source could not be read; the message is safe to log. `status`: of HTTP, if any."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class SourceUnavailable(SourceError):
    """A source could not be read now; later it may be."""


@dataclass(frozen=True)
class JsonClient:
    """GET and POST of JSON against one base URL, with one set of headers."""

    base_url: str
    headers: Mapping[str, str]
    client: Client
    max_body_bytes: int
    body_seconds: float

    def get(self, path: str, *, params: Mapping[str, Any]) -> Any:
        """The decoded answer of a GET; raises SourceError for anything but a 200 with JSON."""
        return self._json("GET", path, params=params)

    def post(self, path: str, *, body: Any, params: Mapping[str, Any] | None = None) -> Any:
        """The decoded answer of a POST; raises SourceError for anything but a 200 with JSON."""
        return self._json("POST", path, params=params or {}, json=body)

    def post_form(self, path: str, *, form: Mapping[str, str]) -> Any:
        """The decoded answer of a POST of a form, as sign-in endpoints want it."""
        return self._json("POST", path, data=dict(form))

    def download(self, url: str) -> bytes:
        """The body behind an absolute, signed address; none of our headers go there."""
        return self._read("GET", url, place=f"GET {urlsplit(url).hostname}", headers={})

    def _json(self, method: str, path: str, **request: Any) -> Any:
        place = f"{method} {urlsplit(self.base_url).hostname}{path}"
        url = self.base_url.rstrip("/") + path
        content = self._read(method, url, place=place, headers=dict(self.headers), **request)
        try:
            return decode_json(content)
        except ValueError:
            raise SourceError(f"{place} answered 200 with a body that is not JSON") from None

    def _read(self, method: str, url: str, *, place: str, **request: Any) -> bytes:
        try:
            with self.client.request(
                method, url, stream=True, allow_redirects=False, **request
            ) as response:
                status = response.status_code
                if status in _RETRIED_STATUSES:
                    raise SourceUnavailable(f"{place} answered {status}", status=status)
                # 201 and 202 are how some vendors accept a job.
                if status not in (200, 201, 202):
                    raise SourceError(f"{place} answered {status}", status=status)
                return self._content(response, place)
        except (requests.RequestException, HTTPError) as error:
            raise SourceUnavailable(f"{place} failed: {type(error).__name__}") from None

    def _content(self, response: requests.Response, place: str) -> bytes:
        """The unzipped body, up to the caps on size and time.

        `read1` returns what has come in: waiting for whole chunks, a body of a byte a second would
        never meet its deadline. It unzips no more than it returns, whatever the ratio.
        """
        chunks = []
        size = 0
        deadline = time.monotonic() + self.body_seconds
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            size += len(chunk)
            if size > self.max_body_bytes:
                raise SourceError(f"{place} answered more than {self.max_body_bytes} bytes")
            if time.monotonic() > deadline:
                raise SourceError(f"{place} took more than {self.body_seconds:g} s to answer")
            chunks.append(chunk)
        return b"".join(chunks)


def json_client(
    base_url: str,
    *,
    headers: Mapping[str, str],
    backoff_seconds: float | None = None,
    max_body_bytes: int = 256 << 20,
    read_seconds: float = _READ_SECONDS,
    body_seconds: float = _BODY_SECONDS,
) -> JsonClient:
    """A client that retries 408, 429, 5xx and lost connections, at most five times."""
    client = Client(
        request_timeout=(_CONNECT_SECONDS, read_seconds),
        raise_for_status=False,
        status_codes=_RETRIED_STATUSES,
        request_max_attempts=_MAX_ATTEMPTS,
        request_backoff_factor=BACKOFF_SECONDS if backoff_seconds is None else backoff_seconds,
        request_max_retry_delay=_MAX_RETRY_DELAY_SECONDS,
    )
    return JsonClient(
        base_url=base_url,
        headers=headers,
        client=client,
        max_body_bytes=max_body_bytes,
        body_seconds=body_seconds,
    )
