"""What a dispatch reads and writes in the ops store: claims, attempts and endpoint health."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, insert, or_, select, update

from orchestration.ops.lease import is_dead
from orchestration.ops.store import reading, writing
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
class Recorded:
    """Whether the attempt counted (the lease was still ours), and what a person should know."""

    is_ours: bool
    alerts: tuple[str, ...]


def claim(
    engine: Engine,
    *,
    endpoint_ids: Sequence[str],
    worker: str,
    now: datetime,
    length: timedelta,
) -> Claimed | None:
    """The oldest message that is due for one of these endpoints, leased to `worker`."""
    if not endpoint_ids:
        return None
    due = (
        outbox.c.status == "pending",
        outbox.c.endpoint_id.in_(endpoint_ids),
        or_(outbox.c.next_at.is_(None), outbox.c.next_at <= now),
    )
    oldest_first = select(outbox.c.id, outbox.c.lease_by, outbox.c.lease_until).where(*due)
    with reading(engine) as connection:  # an idle dispatcher takes no write lock
        if connection.execute(oldest_first.limit(1)).first() is None:
            return None
    with writing(engine) as connection:
        for row in connection.execute(oldest_first.order_by(outbox.c.ordinal)).all():
            is_free = row.lease_until is None or row.lease_until <= now or is_dead(row.lease_by)
            if not is_free:
                continue
            taken = connection.execute(
                update(outbox)
                .where(outbox.c.id == row.id, outbox.c.status == "pending")
                .values(lease_by=worker, lease_until=now + length)
                .returning(
                    outbox.c.id,
                    outbox.c.endpoint_id,
                    outbox.c.event_type,
                    outbox.c.body,
                    outbox.c.attempts,
                    outbox.c.step,
                )
            ).one()
            return Claimed(
                id=taken.id,
                endpoint_id=taken.endpoint_id,
                event_type=taken.event_type,
                body=bytes(taken.body),
                attempts=taken.attempts,
                step=taken.step,
            )
    return None


def record(
    engine: Engine,
    claimed: Claimed,
    outcome: Outcome,
    *,
    worker: str,
    at: datetime,
    disable_after: timedelta,
) -> Recorded:
    """The attempt and what follows from it, in one transaction."""
    with writing(engine) as connection:
        changed = connection.execute(
            update(outbox)
            .where(
                outbox.c.id == claimed.id,
                outbox.c.lease_by == worker,
                outbox.c.attempts == claimed.attempts,
                outbox.c.status == "pending",
            )
            .values(
                status=outcome.status,
                attempts=claimed.attempts + 1,
                step=claimed.step + 1,
                next_at=outcome.next_at,
                dead_reason=outcome.dead_reason,
                lease_by=None,
                lease_until=None,
            )
        )
        if changed.rowcount != 1:
            return Recorded(is_ours=False, alerts=())
        connection.execute(
            insert(delivery_attempt).values(
                outbox_id=claimed.id,
                n=claimed.attempts + 1,
                at=at,
                status_code=outcome.status_code,
                error_class=outcome.error_class,
                resp_sha=outcome.resp_sha,
            )
        )
        alerts = []
        if outcome.dead_reason:
            alerts.append(
                f"{claimed.event_type} for endpoint {claimed.endpoint_id} is a dead letter "
                f"({outcome.dead_reason}); repeat with: meterhouse ops replay --id {claimed.id}"
            )
        disabled = _note_health(connection, claimed.endpoint_id, outcome, at, disable_after)
        if disabled:
            alerts.append(f"endpoint {claimed.endpoint_id} is disabled: {disabled}")
        return Recorded(is_ours=True, alerts=tuple(alerts))


def _note_health(
    connection: Connection,
    endpoint_id: str,
    outcome: Outcome,
    at: datetime,
    disable_after: timedelta,
) -> str | None:
    """The reason for which the endpoint was disabled by this outcome, if it was."""
    here = endpoint.c.id == endpoint_id
    if outcome.status == "delivered":
        connection.execute(update(endpoint).where(here).values(failing_since=None))
        return None
    since = connection.scalar(select(endpoint.c.failing_since).where(here))
    reason = outcome.disable_reason
    if since is None:
        connection.execute(update(endpoint).where(here).values(failing_since=at))
    elif reason is None and at - since >= disable_after:
        reason = f"failing since {since:%Y-%m-%d %H:%M} UTC"
    if reason is not None:
        connection.execute(update(endpoint).where(here).values(disabled_reason=reason))
    return reason
