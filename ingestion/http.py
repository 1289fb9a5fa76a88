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
_RETRIED_STATUSES = (408, 429, 500, 502, 503, 504)
_CHUNK_BYTES = 1 << 20


class SourceError(Exception):
    """A source could not be read; the message is safe to log."""


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
        return self._read("GET", path, params=params, body=None)

    def post(self, path: str, *, body: Mapping[str, Any]) -> Any:
        """The decoded answer of a POST; raises SourceError for anything but a 200 with JSON."""
        return self._read("POST", path, params={}, body=body)

    def _read(
        self, method: str, path: str, *, params: Mapping[str, Any], body: Mapping[str, Any] | None
    ) -> Any:
        place = f"{method} {urlsplit(self.base_url).hostname}{path}"
        try:
            with self.client.request(
                method,
                self.base_url.rstrip("/") + path,
                params=params,
                json=body,
                headers=dict(self.headers),
                stream=True,
                allow_redirects=False,
            ) as response:
                if response.status_code in _RETRIED_STATUSES:
                    raise SourceUnavailable(f"{place} answered {response.status_code}")
                if response.status_code != 200:
                    raise SourceError(f"{place} answered {response.status_code}")
                content = self._content(response, place)
        except (requests.RequestException, HTTPError) as error:
            raise SourceUnavailable(f"{place} failed: {type(error).__name__}") from None
        try:
            return decode_json(content)
        except ValueError:
            raise SourceError(f"{place} answered 200 with a body that is not JSON") from None

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
    backoff_seconds: float = 1.0,
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
        request_backoff_factor=backoff_seconds,
        request_max_retry_delay=_MAX_RETRY_DELAY_SECONDS,
    )
    return JsonClient(
        base_url=base_url,
        headers=headers,
        client=client,
        max_body_bytes=max_body_bytes,
        body_seconds=body_seconds,
    )
