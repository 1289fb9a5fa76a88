"""What a dispatch reads and writes in the ops store: claims, attempts and endpoint health."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, insert, or_, select, update

from orchestration.ops.lease import is_dead
from orchestration.ops.tables import delivery_attempt, endpoint, outbox


@dataclass(frozen=True)
class Claimed:
    """A message that is ours to send until its lease runs out."""

    id: str
    endpoint_id: str
    event_type: str
    body: bytes
    attempts: int
    step: int


@dataclass(frozen=True)
class Outcome:
    """What an attempt came to and what follows."""

    status: str  # delivered | pending | dead
    status_code: int | None
    error_class: str | None
    resp_sha: str | None
    next_at: datetime | None
    dead_reason: str | None
    disable_reason: str | None

    def again(self, at: datetime) -> "Outcome":
        """The same attempt, to be repeated."""
        return replace(self, status="pending", next_at=at)

    def dead(self, reason: str, *, disable: str | None = None) -> "Outcome":
        """The same attempt as the last one."""
        return replace(self, status="dead", dead_reason=reason, disable_reason=disable)


@dataclass(frozen=True)
class Tried:
    """One attempt: when, and what it came to."""

    claimed: Claimed
    at: datetime
    outcome: Outcome


@dataclass(frozen=True)
class Recorded:
    """Whether the attempt counted (the lease was still ours), and what a person should know."""

    is_ours: bool
    is_disabled: bool
    alerts: tuple[str, ...]


def endpoints_with_due(connection: Connection, *, now: datetime) -> frozenset[str]:
    """The endpoints that a message is due for."""
    return frozenset(
        connection.scalars(select(outbox.c.endpoint_id).where(_is_due(now)).distinct())
    )


def claim(
    connection: Connection,
    *,
    endpoint_id: str,
    worker: str,
    now: datetime,
    length: timedelta,
    dead: Collection[str],
    at_most: int,
) -> list[Claimed]:
    """The oldest messages due for an endpoint, leased to `worker`; leases of the dead are over."""
    due = and_(_is_due(now), outbox.c.endpoint_id == endpoint_id)
    is_free = or_(
        outbox.c.lease_until.is_(None),
        outbox.c.lease_until <= now,
        outbox.c.lease_by.in_(dead),
    )
    oldest = select(outbox.c.id).where(due, is_free).order_by(outbox.c.ordinal).limit(at_most)
    taken = connection.execute(
        update(outbox)
        .where(outbox.c.id.in_(oldest.scalar_subquery()))
        .values(lease_by=worker, lease_until=now + length)
        .returning(
            outbox.c.ordinal,
            outbox.c.id,
            outbox.c.endpoint_id,
            outbox.c.event_type,
            outbox.c.body,
            outbox.c.attempts,
            outbox.c.step,
        )
    ).all()
    return [
        Claimed(
            id=row.id,
            endpoint_id=row.endpoint_id,
            event_type=row.event_type,
            body=bytes(row.body),
            attempts=row.attempts,
            step=row.step,
        )
        for row in sorted(taken, key=lambda row: row.ordinal)
    ]


def release(connection: Connection, claimed: Collection[Claimed], *, worker: str) -> None:
    """Ends the leases of messages that were not sent."""
    connection.execute(
        update(outbox)
        .where(outbox.c.id.in_([each.id for each in claimed]), outbox.c.lease_by == worker)
        .values(lease_by=None, lease_until=None)
    )


def _is_due(now: datetime) -> ColumnElement[bool]:
    is_time = or_(outbox.c.next_at.is_(None), outbox.c.next_at <= now)
    return and_(outbox.c.status == "pending", is_time)


def dead_holders(connection: Connection, *, now: datetime) -> list[str]:
    """Processes of this machine that were killed while they held a message."""
    holders = connection.scalars(
        select(outbox.c.lease_by)
        .where(outbox.c.status == "pending", outbox.c.lease_until > now)
        .distinct()
    )
    return [holder for holder in holders if is_dead(holder)]


# Written once: to put a statement together costs more than to run it.
_ACKNOWLEDGE = (
    update(outbox)
    .where(
        outbox.c.id == bindparam("message"),
        outbox.c.lease_by == bindparam("worker"),
        outbox.c.attempts == bindparam("made"),
        outbox.c.status == "pending",
    )
    .values(
        status=bindparam("then"),
        attempts=outbox.c.attempts + 1,
        step=outbox.c.step + 1,
        next_at=bindparam("again_at"),
        dead_reason=bindparam("why_dead"),
        lease_by=None,
        lease_until=None,
    )
)
_APPEND_ATTEMPT = insert(delivery_attempt)
_IS_WELL = (
    update(endpoint)
    .where(endpoint.c.id == bindparam("name"), endpoint.c.failing_since.is_not(None))
    .values(failing_since=None)
)


def record(
    connection: Connection, tried: Sequence[Tried], *, worker: str, disable_after: timedelta
) -> list[Recorded]:
    """Attempts at one endpoint and what follows from each, in the caller's transaction."""
    done = [_acknowledge(connection, each, worker, disable_after) for each in tried]
    ours = [each for each, recorded in zip(tried, done, strict=True) if recorded.is_ours]
    if ours:
        connection.execute(_APPEND_ATTEMPT, [_attempt_row(each) for each in ours])
    if any(each.outcome.status == "delivered" for each in ours):
        connection.execute(_IS_WELL, {"name": ours[0].claimed.endpoint_id})
    return done


def _acknowledge(
    connection: Connection, tried: Tried, worker: str, disable_after: timedelta
) -> Recorded:
    claimed, outcome = tried.claimed, tried.outcome
    changed = connection.execute(
        _ACKNOWLEDGE,
        {
            "message": claimed.id,
            "worker": worker,
            "made": claimed.attempts,
            "then": outcome.status,
            "again_at": outcome.next_at,
            "why_dead": outcome.dead_reason,
        },
    )
    if changed.rowcount != 1:
        return Recorded(is_ours=False, is_disabled=False, alerts=())
    if outcome.status == "delivered":
        return Recorded(is_ours=True, is_disabled=False, alerts=())
    alerts = []
    if outcome.dead_reason:
        alerts.append(
            f"{claimed.event_type} for endpoint {claimed.endpoint_id} is a dead letter "
            f"({outcome.dead_reason}); repeat with: meterhouse ops replay --id {claimed.id}"
        )
    disabled = _note_failure(connection, claimed.endpoint_id, outcome, tried.at, disable_after)
    if disabled:
        alerts.append(f"endpoint {claimed.endpoint_id} is disabled: {disabled}")
    return Recorded(is_ours=True, is_disabled=disabled is not None, alerts=tuple(alerts))


def _attempt_row(tried: Tried) -> dict[str, Any]:
    return {
        "outbox_id": tried.claimed.id,
        "n": tried.claimed.attempts + 1,
        "at": tried.at,
        "status_code": tried.outcome.status_code,
        "error_class": tried.outcome.error_class,
        "resp_sha": tried.outcome.resp_sha,
    }


def _note_failure(
    connection: Connection,
    endpoint_id: str,
    outcome: Outcome,
    at: datetime,
    disable_after: timedelta,
) -> str | None:
    """The reason for which the endpoint was disabled by this outcome, if it was."""
    here = endpoint.c.id == endpoint_id
    since = connection.scalar(select(endpoint.c.failing_since).where(here))
    reason = outcome.disable_reason
    if since is None:
        connection.execute(update(endpoint).where(here).values(failing_since=at))
    elif reason is None and at - since >= disable_after:
        reason = f"failing since {since:%Y-%m-%d %H:%M} UTC"
    if reason is not None:
        connection.execute(update(endpoint).where(here).values(disabled_reason=reason))
    return reason
