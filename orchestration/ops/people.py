"""What only a person decides: arming, approvals, overrides, replays; with who and when."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update

from orchestration.ops.store import writing
from orchestration.ops.tables import (
    approval,
    arming,
    desired_limit,
    outbox,
    override,
)

LIMITS = "limits"  # kind of an approval


def arm(engine: Engine, gateway: str, *, by: str, now: datetime) -> bool:
    """Lets the reconciler write to this gateway; False if it might already."""
    with writing(engine) as connection:
        if gateway in armed_gateways(connection):
            return False
        connection.execute(insert(arming).values(gateway=gateway, armed_by=by, armed_at=now))
        return True


def disarm(engine: Engine, gateway: str, *, by: str, now: datetime) -> bool:
    """Back to dry run; what is blocked stays blocked. False if it was not armed."""
    with writing(engine) as connection:
        changed = connection.execute(
            update(arming)
            .where(arming.c.gateway == gateway, arming.c.disarmed_at.is_(None))
            .values(disarmed_by=by, disarmed_at=now)
        )
        return changed.rowcount > 0


def armed_gateways(connection: Connection) -> frozenset[str]:
    """The gateways that may be written to."""
    return frozenset(
        connection.scalars(select(arming.c.gateway).where(arming.c.disarmed_at.is_(None)))
    )


def approve(
    engine: Engine,
    approval_id: str,
    *,
    kind: str,
    plan_sha: str,
    by: str,
    now: datetime,
    expires_at: datetime,
) -> bool:
    """A person's yes to one plan, until it expires; False if it was given before."""
    with writing(engine) as connection:
        if connection.scalar(select(approval.c.id).where(approval.c.id == approval_id)) is not None:
            return False
        connection.execute(
            insert(approval).values(
                id=approval_id,
                kind=kind,
                plan_sha=plan_sha,
                approved_by=by,
                approved_at=now,
                expires_at=expires_at,
            )
        )
        return True


class PlanChanged(Exception):
    """What waits is no longer what was shown."""


def approve_limits(
    engine: Engine,
    approval_id: str,
    *,
    plan_sha: str,
    by: str,
    now: datetime,
    expires_at: datetime,
) -> bool:
    """A person's yes to the limits that wait under this id, if they are those that were shown.

    It may be given again once it has expired; False while it stands.
    """
    with writing(engine) as connection:
        if sha_of(waiting_limits(connection, approval_id)) != plan_sha:
            raise PlanChanged(approval_id)
        said = {"plan_sha": plan_sha, "approved_by": by, "approved_at": now}
        said |= {"expires_at": expires_at}
        here = approval.c.id == approval_id
        before = connection.scalar(select(approval.c.expires_at).where(here))
        if before is None:
            connection.execute(insert(approval).values(id=approval_id, kind=LIMITS, **said))
            return True
        if before > now:
            return False
        connection.execute(update(approval).where(here).values(**said))
        return True


def price_approvals(connection: Connection) -> frozenset[str]:
    """Ids of the price changes and price files that a person accepted."""
    return frozenset(connection.scalars(select(approval.c.id).where(approval.c.kind == "price")))


def limit_approvals(connection: Connection, *, now: datetime) -> frozenset[str]:
    """Ids of the limits that a person said yes to, while that stands."""
    chosen = select(approval.c.id).where(approval.c.kind == LIMITS, approval.c.expires_at > now)
    return frozenset(connection.scalars(chosen))


def waiting_limits(connection: Connection, approval_id: str) -> dict[str, Any]:
    """The limits that wait for this approval, by gateway/key: what would be set, and why."""
    rows = connection.execute(
        select(desired_limit)
        .where(desired_limit.c.approval_id == approval_id, desired_limit.c.want != "open")
        .order_by(desired_limit.c.gateway, desired_limit.c.key_ref)
    )
    found: dict[str, Any] = {}
    for row in rows:
        reasons = json.loads(row.reason_json)
        alias = reasons[0].get("key_alias") if reasons else None
        names = ("budget_id", "budget_version", "period_start_at", "cause")
        found[f"{row.gateway}/{row.key_ref}"] = {
            "limit": row.want,
            "generation": row.generation,
            "key_alias": alias,
            "breaches": sorted([str(why.get(name)) for name in names] for why in reasons),
        }
    return found


def sha_of(waiting: Mapping[str, Any]) -> str:
    """A digest of limits that wait."""
    return hashlib.sha256(json.dumps(waiting, sort_keys=True).encode()).hexdigest()


def set_override(
    engine: Engine, *, gateway: str, key_ref: str, until: datetime, by: str, reason: str
) -> None:
    """No block of this key until then, whatever its budgets say."""
    with writing(engine) as connection:
        write_override(
            connection,
            gateway=gateway,
            key_ref=key_ref,
            until=until,
            by=by,
            reason=reason,
            marks={},
        )


def write_override(
    connection: Connection,
    *,
    gateway: str,
    key_ref: str,
    until: datetime,
    by: str,
    reason: str,
    marks: dict[str, str],
) -> None:
    """The same, inside the caller's transaction; `marks` is the use per budget as it begins."""
    connection.execute(
        delete(override).where(override.c.gateway == gateway, override.c.key_ref == key_ref)
    )
    connection.execute(
        insert(override).values(
            gateway=gateway,
            key_ref=key_ref,
            until=until,
            by=by,
            reason=reason,
            marks_json=json.dumps(marks, sort_keys=True),
        )
    )


def find_key(connection: Connection, text: str) -> list[tuple[str, str, str | None]]:
    """(gateway, key, alias) of each limited key that `text` names: id, start of it, or alias."""
    found: list[tuple[str, str, str | None]] = []
    for row in connection.execute(select(desired_limit).order_by(desired_limit.c.key_ref)):
        reasons = json.loads(row.reason_json)
        alias = reasons[0].get("key_alias") if reasons else None
        is_start = len(text) >= 8 and row.key_ref.startswith(text)
        if text in (row.key_ref, alias) or is_start:
            found.append((row.gateway, row.key_ref, alias))
    return found


def replay(engine: Engine, *, message_id: str | None, since: datetime | None) -> int:
    """How many finished messages will be sent again, under their id and with their bytes.

    By id, or all that were written at or after `since`.
    """
    if (message_id is None) == (since is None):
        raise ValueError("replay takes either an id or a time")
    chosen = outbox.c.id == message_id if message_id else outbox.c.created_at >= since
    with writing(engine) as connection:
        changed = connection.execute(
            update(outbox)
            .where(chosen, outbox.c.status != "pending")
            .values(status="pending", step=0, next_at=None, dead_reason=None)
        )
        return changed.rowcount
