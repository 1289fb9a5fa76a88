"""The service: what is asked, who asks, how much it may be, and that it is on disk.

A 2xx means: committed, and it will be loaded once. Statuses: 202 taken (`/v1/traces` 200), 400 not
what it says to be, 401 unknown (without a word), 403 of another source, 413 too much, 415 another
type, 429 and 503 later, with Retry-After. An answer never repeats what was sent.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ingestion.collector import auth, limits, otlp
from ingestion.collector.bodies import JSON_TYPES, event_rows, log_rows, span_rows
from ingestion.collector.entitlements import (
    FILTERS,
    NothingPublished,
    UnknownEntity,
    entitlements,
)
from ingestion.collector.events import NamesAnotherSource
from ingestion.collector.limits import Refusal
from ingestion.collector.metrics import Metrics
from ingestion.collector.sources import EVENTS, LITELLM_LOGS, PUSHES, SPANS
from ingestion.collector.spool import Entry, Replayed, Spool, SpoolFull, held, spool_path
from ingestion.collector.stored import Taken
from ingestion.collector.values import TooDeep

SPOOL_BYTES = 2_000_000_000
# From this size on a body is read beside the others, not before them.
_LARGE_BYTES = 1 << 18
_NOT_METERED = "not metered: usage is taken from spans, sent to /v1/traces"

Clock = Callable[[], datetime]
# From body, content type, sender and pepper to rows; raises Refusal.
Reader = Callable[[bytes, str, auth.Sender, bytes], Taken]


@dataclass(frozen=True)
class Intake:
    """One way in: what it takes, how much of it, and how it is read."""

    kind: str
    types: frozenset[str]
    most_bytes: int
    read: Reader
    is_otlp: bool = False


INTAKES = {
    "/v1/events": Intake(EVENTS, JSON_TYPES, limits.EVENTS_BYTES, event_rows),
    "/litellm": Intake(LITELLM_LOGS, JSON_TYPES, limits.BATCH_BYTES, log_rows),
    "/v1/traces": Intake(
        SPANS, frozenset({otlp.JSON, otlp.PROTOBUF}), limits.BATCH_BYTES, span_rows, is_otlp=True
    ),
}


class Collector:
    """The service over one home: its senders, its spool, its counters."""

    def __init__(
        self,
        home: Path,
        *,
        senders: Sequence[auth.Sender],
        pepper: bytes,
        clock: Clock,
        spool_bytes: int = SPOOL_BYTES,
    ) -> None:
        self._path = spool_path(home)
        self._marts = home / "marts.duckdb"
        self._senders = senders
        self._pepper = pepper
        self._clock = clock
        self._spool_bytes = spool_bytes
        self._waiting = limits.Waiting(limits.WAITING_BYTES)
        self._metrics = Metrics()
        self._spool: Spool | None = None

    def app(self) -> Starlette:
        """The ASGI application; its spool is open while it runs."""

        @asynccontextmanager
        async def lifespan(_: Starlette) -> Any:
            self._spool = Spool(self._path, most_bytes=self._spool_bytes)
            yield
            self._spool.close()

        intakes = [
            Route(path, partial(self._answered, path=path, take=self._take), methods=["POST"])
            for path in INTAKES
        ]
        dropped = [
            Route(path, partial(self._answered, path=path, take=self._drop), methods=["POST"])
            for path in ("/v1/metrics", "/v1/logs")
        ]
        asked = Route(
            "/v1/entitlements", partial(self._answered, path="/v1/entitlements", take=self._entitle)
        )
        shown = [asked, Route("/healthz", self._health), Route("/metrics", self._show)]
        return Starlette(routes=[*intakes, *dropped, *shown], lifespan=lifespan)

    async def _answered(
        self, request: Request, *, path: str, take: Callable[..., Awaitable[Response]]
    ) -> Response:
        """The answer of `take`, or the status it refuses with; both are counted."""
        try:
            response = await take(request, INTAKES.get(path, INTAKES["/v1/traces"]))
        except Refusal as refusal:
            self._metrics.count("refused", path=path, reason=refusal.reason)
            response = _refusal(refusal, _content_type(request))
        except ClientDisconnect:
            response = Response(status_code=400)
        self._metrics.count("requests", path=path, status=str(response.status_code))
        return response

    async def _take(self, request: Request, intake: Intake) -> Response:
        content_type, sender = _content_type(request), self._by_token(request)
        if sender is not None:
            _may(sender, intake, content_type)
        size = limits.declared_size(request, most=intake.most_bytes)
        with self._waiting.room(size):
            body = await limits.body_of(request, most=intake.most_bytes)
            delivery = None
            if sender is None:
                sender, delivery = self._by_signature(request, body)
                _may(sender, intake, content_type)
            read = partial(self._read, body, request.headers, intake, sender)
            taken = await run_in_threadpool(read) if len(body) > _LARGE_BYTES else read()
            if taken.rows_count or delivery:
                await self._store(intake.kind, sender, taken, delivery)
        return self._answer(intake, sender, taken, content_type)

    def _by_token(self, request: Request) -> auth.Sender | None:
        """The sender by its token; None where the request is signed instead."""
        authorization = request.headers.get("authorization")
        if authorization is None and "webhook-signature" in request.headers:
            return None
        sender = auth.by_token(self._senders, authorization or "")
        if sender is None:
            raise Refusal(401, "unknown_sender")
        return sender

    def _by_signature(self, request: Request, body: bytes) -> tuple[auth.Sender, auth.Delivery]:
        found = auth.by_signature(self._senders, request.headers, body, now=self._clock())
        if found is None:
            raise Refusal(401, "unknown_signature")
        return found

    def _read(
        self, body: bytes, headers: Mapping[str, str], intake: Intake, sender: auth.Sender
    ) -> Taken:
        unpacked = limits.unpacked(
            body,
            encoding=headers.get("content-encoding", "").strip().lower(),
            most=intake.most_bytes * limits.UNPACKED_TIMES,
        )
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            return intake.read(unpacked, content_type, sender, self._pepper)
        except TooDeep:
            raise Refusal(400, "too_deep") from None
        except NamesAnotherSource:
            raise Refusal(403, "another_source") from None
        except otlp.NotOtlp:
            raise Refusal(400, "not_otlp") from None

    async def _store(
        self, kind: str, sender: auth.Sender, taken: Taken, delivery: auth.Delivery | None
    ) -> None:
        if self._spool is None:
            raise Refusal(503, "not_started")
        entry = Entry(kind, sender.instance, self._clock(), taken, delivery)
        try:
            await self._spool.write(entry)
        except SpoolFull:
            raise Refusal(503, "spool_full") from None
        except Replayed:
            raise Refusal(401, "replayed") from None

    def _answer(
        self, intake: Intake, sender: auth.Sender, taken: Taken, content_type: str
    ) -> Response:
        """What was taken, and what of it is not metered and why."""
        labels = {"kind": intake.kind, "source": sender.instance}
        accepted = taken.rows_count - len(taken.refusals)
        self._metrics.count("rows", accepted, **labels)
        for _, refusal in taken.refusals:
            self._metrics.count("set_aside", **labels, reason=refusal.reason)
        if intake.is_otlp:
            body = otlp.answer(content_type, refusals=[refusal for _, refusal in taken.refusals])
            return Response(body, media_type=content_type)
        told = [
            {"record": position, "field": refusal.column_name, "reason": refusal.reason}
            for position, refusal in taken.refusals[:100]
        ]
        body = orjson.dumps({"accepted": accepted, "set_aside": told})
        return Response(body, status_code=202, media_type=otlp.JSON)

    async def _drop(self, request: Request, intake: Intake) -> Response:
        """Takes OTLP metrics and logs, which senders send along, and says what they are not."""
        content_type, sender = _content_type(request), self._by_token(request)
        if sender is None:
            raise Refusal(401, "unknown_sender")
        _may(sender, intake, content_type)
        limits.declared_size(request, most=intake.most_bytes)
        await limits.body_of(request, most=intake.most_bytes)
        body = otlp.answer(content_type, refusals=[], warning=_NOT_METERED)
        return Response(body, media_type=content_type)

    async def _entitle(self, request: Request, _: Intake) -> Response:
        """What an entity has left, for a sender that is known by its token."""
        if self._by_token(request) is None:
            raise Refusal(401, "unknown_sender")
        said = request.query_params
        names = [name for name in ("entity", "customer") if said.get(name)]
        if len(names) != 1:
            raise Refusal(400, "say_entity_or_customer")
        if said.keys() - {*names, *FILTERS}:
            raise Refusal(400, "unknown_parameter")
        ask = partial(
            entitlements,
            self._marts,
            entity=said[names[0]],
            tree="customer" if names == ["customer"] else None,
            asked={name: list(filter(None, said.getlist(name))) for name in FILTERS},
            now=self._clock(),
        )
        try:
            told = await run_in_threadpool(ask)
        except NothingPublished:
            raise Refusal(503, "nothing_published") from None
        except UnknownEntity:
            raise Refusal(404, f"unknown_{names[0]}") from None
        return Response(orjson.dumps(told), media_type=otlp.JSON)

    async def _health(self, _: Request) -> Response:
        now = held(self._path)
        is_well = now is not None and now.size_bytes <= self._spool_bytes
        return Response("ok\n" if is_well else "spool full\n", status_code=200 if is_well else 503)

    async def _show(self, _: Request) -> Response:
        text = self._metrics.text(held(self._path), now=self._clock())
        return Response(text, media_type="text/plain; version=0.0.4")


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _may(sender: auth.Sender, intake: Intake, content_type: str) -> None:
    if intake.kind not in PUSHES[sender.system]:
        raise Refusal(403, "another_kind")
    if content_type not in intake.types:
        raise Refusal(415, "content_type")


def _refusal(refusal: Refusal, content_type: str) -> Response:
    headers = {}
    if refusal.status in (429, 503):
        headers["retry-after"] = str(limits.RETRY_AFTER_SECONDS)
    if refusal.status == 401:
        return Response(status_code=401)  # nothing for who is not known
    told = otlp.NOT_A_REQUEST if refusal.reason == "not_otlp" else refusal.reason.replace("_", " ")
    shown = content_type if content_type == otlp.PROTOBUF else otlp.JSON
    return Response(otlp.failure(shown, told), refusal.status, headers, media_type=shown)
