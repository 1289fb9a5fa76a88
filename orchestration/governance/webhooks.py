"""Waiting messages delivered: at least once, same id and same bytes on every try.

Messages are claimed with a lease, sent, and recorded; a process killed in between leaves
the lease to run out, and the next one sends the same bytes under the same id: what was on its way
to an endpoint (one message, a few in a backlog) may come twice for it. Endpoints have a lane each,
so that none delays another; within a lane the oldest message goes first.
"""

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine

from ingestion.checkpoints import checkpoint
from orchestration.governance import signing
from orchestration.governance.addresses import Target, checked_target
from orchestration.governance.endpoints import Endpoint, active_endpoints
from orchestration.governance.formats import written
from orchestration.governance.retries import asks_for_rest, outcome_of
from orchestration.governance.sending import Line, Response
from orchestration.ops import dispatcher
from orchestration.ops.dispatcher import Claimed, Tried
from orchestration.ops.store import Transaction, reading, relaxed_writing

_LOG = logging.getLogger(__name__)

TIMEOUT_SECONDS = 15.0
LEASE = timedelta(minutes=5)
# Longer than it takes to resolve, connect, send and read for all that go at once.
_GROUP_AT_MOST = timedelta(minutes=3)
DISABLED_AFTER = timedelta(hours=120)
_BATCH = 100
_AT_ONCE = 8  # of a backlog (a full batch); else one at a time
_LANES = 8
_SILENCES = 3  # attempts in a row without an answer, after which a run leaves an endpoint alone


@dataclass(frozen=True)
class AttemptMade:
    """One attempt, for tables that people read."""

    message_id: str
    endpoint_id: str
    event_type: str
    n: int
    status_code: int | None
    error_class: str | None
    status: str  # delivered | pending | dead
    next_at: datetime | None

    @classmethod
    def of(cls, tried: Tried) -> "AttemptMade":
        """The attempt as people read it."""
        claimed, outcome = tried.claimed, tried.outcome
        return cls(
            message_id=claimed.id,
            endpoint_id=claimed.endpoint_id,
            event_type=claimed.event_type,
            n=claimed.attempts + 1,
            status_code=outcome.status_code,
            error_class=outcome.error_class,
            status=outcome.status,
            next_at=outcome.next_at,
        )


@dataclass
class Dispatched:
    """What a dispatch did. `alerts` is for a person: dead letters and disabled endpoints."""

    attempts: list[AttemptMade] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    not_ready: dict[str, str] = field(default_factory=dict)  # endpoint -> what is missing

    def count(self, status: str) -> int:
        """How many attempts ended so: delivered, pending (will be tried again) or dead."""
        return sum(1 for each in self.attempts if each.status == status)


@dataclass(frozen=True)
class _Sent:
    claimed: Claimed
    at: datetime
    response: Response


@dataclass(frozen=True)
class _Road:
    """What all lanes of a dispatch share."""

    engine: Engine
    now: Callable[[], datetime]
    environ: Mapping[str, str]
    limit: int
    worker: str
    jitter: random.Random
    dead: Sequence[str]
    turn: threading.Lock = field(default_factory=threading.Lock)  # one lane writes at a time


def dispatch(
    engine: Engine,
    *,
    now: Callable[[], datetime],
    environ: Mapping[str, str],
    limit: int,
    worker: str,
    jitter: random.Random,
    only: str | None = None,
) -> Dispatched:
    """At most `limit` attempts an endpoint, oldest message first; what is due later stays.

    `only`: to that endpoint alone.
    """
    done = Dispatched()
    with reading(engine) as connection:
        endpoints = active_endpoints(connection)
        due = dispatcher.endpoints_with_due(connection, now=now())
        dead = dispatcher.dead_holders(connection, now=now())
    road = _Road(engine, now, environ, limit, worker, jitter, dead)
    ready: list[Endpoint] = []
    for each in endpoints.values():
        if only not in (None, each.id):
            continue
        problem = _problem(each, environ, now())
        if problem is not None:
            done.not_ready[each.id] = problem
        elif each.id in due:
            ready.append(each)
    if not ready:
        return done
    with ThreadPoolExecutor(max_workers=min(_LANES, len(ready))) as pool:
        for lane in pool.map(lambda each: _run_lane(road, each), ready):
            done.attempts += lane.attempts
            done.alerts += lane.alerts
    return done


def _run_lane(road: _Road, endpoint: Endpoint) -> Dispatched:
    """What was sent to one endpoint, until nothing is due or it needs a rest."""
    done = Dispatched()
    lines = [
        Line(lambda: _target(endpoint, road.environ), timeout_seconds=TIMEOUT_SECONDS)
        for _ in range(_AT_ONCE)
    ]
    try:
        with relaxed_writing(road.engine) as transaction:
            while len(done.attempts) < road.limit:
                leased_at = road.now()
                with road.turn, transaction() as connection:
                    batch = dispatcher.claim(
                        connection,
                        endpoint_id=endpoint.id,
                        worker=road.worker,
                        now=leased_at,
                        length=LEASE,
                        dead=road.dead,
                        at_most=min(_BATCH, road.limit - len(done.attempts)),
                    )
                if not batch:
                    break
                left = deque(batch)
                at_once = lines if len(batch) == _BATCH else lines[:1]
                try:
                    while left and road.now() + _GROUP_AT_MOST <= leased_at + LEASE:
                        sent = _send(road, endpoint, at_once, left)
                        if not _record(road, endpoint, sent, transaction, done):
                            return done
                finally:
                    if left:
                        with road.turn, transaction() as connection:
                            dispatcher.release(connection, left, worker=road.worker)
    finally:
        for line in lines:
            line.close()
    return done


def _send(
    road: _Road, endpoint: Endpoint, lines: Sequence[Line], left: deque[Claimed]
) -> list[_Sent]:
    """The next messages, one a line, and what came back; fewer once a line cannot be had."""
    begun: list[tuple[Claimed, datetime, Line]] = []
    for line in lines[: len(left)]:
        checkpoint("dispatch.leased")
        claimed, at = left.popleft(), road.now()
        body = written(claimed.body, format=endpoint.format)
        secrets = signing_secrets(endpoint, road.environ, at)
        headers = signing.headers(secrets, message_id=claimed.id, attempted_at=at, body=body)
        begun.append((claimed, at, line))
        if not line.begin("POST", "", body=body, headers=headers):
            break
    sent = [_Sent(claimed, at, line.finish()) for claimed, at, line in begun]
    checkpoint("dispatch.sent")
    return sent


def _record(
    road: _Road,
    endpoint: Endpoint,
    sent: Sequence[_Sent],
    transaction: Transaction,
    done: Dispatched,
) -> bool:
    """What came back, recorded; False if its endpoint is to be left alone for now."""
    tried = [
        Tried(
            each.claimed,
            each.at,
            outcome_of(
                each.response,
                step=each.claimed.step,
                now=road.now(),
                jitter=road.jitter,
                expect_body=endpoint.expect_body,
            ),
        )
        for each in sent
    ]
    with road.turn, transaction() as connection:
        recorded = dispatcher.record(
            connection, tried, worker=road.worker, disable_after=DISABLED_AFTER
        )
    checkpoint("dispatch.acked")
    done.attempts += [AttemptMade.of(each) for each in tried]
    for alert in (alert for each in recorded for alert in each.alerts):
        _LOG.warning("webhooks: %s", alert)
        done.alerts.append(alert)
    last = done.attempts[-_SILENCES:]
    is_silent = len(last) == _SILENCES and all(each.status_code is None for each in last)
    wants_rest = any(asks_for_rest(each.response) for each in sent)
    return not (is_silent or wants_rest or any(each.is_disabled for each in recorded))


def _target(endpoint: Endpoint, environ: Mapping[str, str]) -> Target:
    return checked_target(
        _address(endpoint, environ) or "",
        allow_insecure=endpoint.allow_insecure,
        networks=endpoint.networks,
    )


def _address(endpoint: Endpoint, environ: Mapping[str, str]) -> str | None:
    return endpoint.url or environ.get(endpoint.url_env or "")


def _in_force(endpoint: Endpoint, now: datetime) -> list[str]:
    """The variables whose secrets sign now."""
    return [
        ref.variable
        for ref in endpoint.secrets
        if (ref.active_from is None or ref.active_from <= now)
        and (ref.expires_at is None or now < ref.expires_at)
    ]


def signing_secrets(endpoint: Endpoint, environ: Mapping[str, str], now: datetime) -> list[str]:
    """The secrets that are in force and set."""
    return [environ[name] for name in _in_force(endpoint, now) if environ.get(name)]


def _problem(endpoint: Endpoint, environ: Mapping[str, str], now: datetime) -> str | None:
    """What is missing for a message to be sent; a missing variable spends none of its tries."""
    if not _address(endpoint, environ):
        return f"no address: set {endpoint.url_env}"
    secrets = signing_secrets(endpoint, environ, now)
    if not secrets and not (endpoint.format == "slack" and not endpoint.secrets):
        return f"no signing secret: set {' or '.join(_in_force(endpoint, now)) or 'secret_env'}"
    try:
        for secret in secrets:
            signing.secret_bytes(secret)
    except ValueError as error:
        return str(error)
    return None
