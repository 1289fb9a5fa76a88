"""Waiting messages delivered: at least once, same id and same bytes on every try.

Each message is claimed with a lease, sent, and recorded; a process killed in between leaves the
lease to run out, and the next one sends the same bytes under the same id.
"""

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine

from ingestion.checkpoints import checkpoint
from orchestration.governance import sending, signing
from orchestration.governance.addresses import AddressRefused, checked_target
from orchestration.governance.endpoints import Endpoint, active_endpoints
from orchestration.ops import dispatcher
from orchestration.ops.dispatcher import Claimed, Outcome
from orchestration.ops.store import reading

_LOG = logging.getLogger(__name__)

TIMEOUT_SECONDS = 15.0
LEASE = timedelta(seconds=90)  # longer than any attempt: resolve, connect, TLS, read
SCHEDULE = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
DISABLED_AFTER = timedelta(hours=120)
_FEW_TRIES = 3
_JITTER_RATIO = 0.1
_WORTH_RETRYING = frozenset({408, 409, 425, 429})


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
class _Ready:
    endpoint: Endpoint
    url: str
    secrets: tuple[str, ...]


def dispatch(
    engine: Engine,
    *,
    now: Callable[[], datetime],
    environ: Mapping[str, str],
    limit: int,
    worker: str,
    jitter: random.Random,
) -> Dispatched:
    """At most `limit` attempts, oldest message first; what is due later stays."""
    done = Dispatched()
    while len(done.attempts) < limit:
        ready = _ready_endpoints(engine, environ=environ, now=now(), done=done)
        claimed = dispatcher.claim(
            engine, endpoint_ids=list(ready), worker=worker, now=now(), length=LEASE
        )
        if claimed is None:
            return done
        checkpoint("dispatch.leased")
        attempted_at = now()
        response = _send(ready[claimed.endpoint_id], claimed, attempted_at)
        checkpoint("dispatch.sent")
        outcome = outcome_of(response, step=claimed.step, now=now(), jitter=jitter)
        recorded = dispatcher.record(
            engine, claimed, outcome, worker=worker, at=attempted_at, disable_after=DISABLED_AFTER
        )
        checkpoint("dispatch.acked")
        for alert in recorded.alerts:
            _LOG.warning("webhooks: %s", alert)
        done.alerts += recorded.alerts
        done.attempts.append(
            AttemptMade(
                message_id=claimed.id,
                endpoint_id=claimed.endpoint_id,
                event_type=claimed.event_type,
                n=claimed.attempts + 1,
                status_code=response.status_code,
                error_class=response.error_class,
                status=outcome.status,
                next_at=outcome.next_at,
            )
        )
    return done


def outcome_of(
    response: sending.Response, *, step: int, now: datetime, jitter: random.Random
) -> Outcome:
    """What follows from a response: success is 2xx and nothing else; a redirect is a failure."""
    code = response.status_code
    result = Outcome(
        status="delivered",
        status_code=code,
        error_class=response.error_class,
        resp_sha=response.resp_sha,
        next_at=None,
        dead_reason=None,
        disable_reason=None,
    )
    if code is not None and 200 <= code < 300:
        return result
    if code == 410:
        return result.dead("410: the receiver says it is gone", disable="410 from the receiver")
    tries = step + 1
    is_refusal = code is not None and 400 <= code < 500 and code not in _WORTH_RETRYING
    if is_refusal and tries >= _FEW_TRIES:
        return result.dead(f"refused {tries} times, last with {code}", disable=None)
    if tries >= len(SCHEDULE):
        return result.dead(f"failed {tries} times, last with {code or response.error_class}")
    step_seconds = SCHEDULE[tries].total_seconds()
    asked = sending.retry_after_seconds(response.retry_after, now=now)
    if asked is not None:
        wait = min(max(asked, step_seconds), 2 * step_seconds)
    else:
        wait = step_seconds * (1 + _JITTER_RATIO * jitter.random())
    return result.again(now + timedelta(seconds=wait))


def _ready_endpoints(
    engine: Engine, *, environ: Mapping[str, str], now: datetime, done: Dispatched
) -> dict[str, _Ready]:
    """Endpoints with an address and a secret; a missing variable spends none of the tries."""
    with reading(engine) as connection:
        endpoints = active_endpoints(connection)
    ready: dict[str, _Ready] = {}
    for each in endpoints.values():
        url = each.url or environ.get(each.url_env or "")
        variables = [
            ref.variable
            for ref in each.secrets
            if (ref.active_from is None or ref.active_from <= now)
            and (ref.expires_at is None or now < ref.expires_at)
        ]
        secrets = tuple(environ[name] for name in variables if environ.get(name))
        problem = _problem(each, url, variables, secrets)
        if problem is None and url is not None:
            ready[each.id] = _Ready(each, url, secrets)
        elif problem is not None:
            done.not_ready[each.id] = problem
    return ready


def _problem(
    endpoint: Endpoint, url: str | None, variables: list[str], secrets: tuple[str, ...]
) -> str | None:
    if not url:
        return f"no address: set {endpoint.url_env}"
    if not secrets:
        return f"no signing secret: set {' or '.join(variables) or 'secret_env'}"
    try:
        for secret in secrets:
            signing.secret_bytes(secret)
    except ValueError as error:
        return str(error)
    return None


def _send(ready: _Ready, claimed: Claimed, attempted_at: datetime) -> sending.Response:
    try:
        target = checked_target(
            ready.url,
            allow_insecure=ready.endpoint.allow_insecure,
            networks=ready.endpoint.networks,
        )
    except AddressRefused:
        return sending.Response(None, "AddressRefused", None, None)
    return sending.post(
        target,
        body=claimed.body,
        headers=signing.headers(
            ready.secrets, message_id=claimed.id, attempted_at=attempted_at, body=claimed.body
        ),
        timeout_seconds=TIMEOUT_SECONDS,
    )
