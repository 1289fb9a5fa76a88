"""What only a person decides: arming, approvals, overrides, replays; with who and when."""

import json
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, insert, select, update

from orchestration.ops.store import writing
from orchestration.ops.tables import approval, arming, desired_limit, outbox, override


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


def price_approvals(connection: Connection) -> frozenset[str]:
    """Ids of the price changes and price files that a person accepted."""
    return frozenset(connection.scalars(select(approval.c.id).where(approval.c.kind == "price")))


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
