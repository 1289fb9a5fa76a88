"""How much of a request is taken: bytes as sent, bytes unpacked, all requests at once."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

MB = 1_000_000
EVENTS_BYTES, EVENTS_COUNT = 1 * MB, 1_000
BATCH_BYTES = 20 * MB
UNPACKED_TIMES = 10
# Bodies that are read or wait for the disk at one time.
WAITING_BYTES = 256 * MB
RETRY_AFTER_SECONDS = 5
_CHUNK_BYTES = 1 << 18


class Refusal(Exception):
    """A request that is not taken: the status it is answered with, and a word for the metrics."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Waiting:
    """The bytes that all requests together hold; a request that does not fit comes again later."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Holds so many bytes as long as the block runs; 429 where there is no room for them."""
        if self._held + size > self._most:
            raise Refusal(429, "too_many_at_once")
        self._held += size
        try:
            yield
        finally:
            self._held -= size


def declared_size(request: Request, *, most: int) -> int:
    """How many bytes the request says it has; the most it may have where it does not say."""
    said = request.headers.get("content-length", "")
    size = int(said) if said.isascii() and said.isdecimal() and len(said) < 20 else most
    if size > most:
        raise Refusal(413, "too_large")
    return size


async def body_of(request: Request, *, most: int) -> bytes:
    """The bytes as they were sent, at most so many."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise Refusal(413, "too_large")
        chunks.append(chunk)
    return b"".join(chunks)


def unpacked(body: bytes, *, encoding: str, most: int) -> bytes:
    """The bytes behind a content encoding; what would unpack to more is not unpacked further."""
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise Refusal(415, "encoding")
    unzip = zlib.decompressobj(wbits=31)
    chunks, size, rest = [], 0, body
    try:
        while rest:
            chunk = unzip.decompress(rest, _CHUNK_BYTES)
            size += len(chunk)
            if size > most:
                raise Refusal(413, "unpacked_too_large")
            chunks.append(chunk)
            rest = unzip.unconsumed_tail
            if unzip.eof and unzip.unused_data:
                rest, unzip = unzip.unused_data, zlib.decompressobj(wbits=31)
    except zlib.error:
        raise Refusal(400, "not_gzip") from None
    if not unzip.eof:
        raise Refusal(400, "not_gzip")
    return b"".join(chunks)
