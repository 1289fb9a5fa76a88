"""What ought to stand at gateways, as an evaluation reads and writes it in the ops store."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from orchestration.ops.tables import applied_limit, desired_limit


@dataclass(frozen=True)
class StoredWant:
    """What ought to stand at a gateway for one key."""

    gateway: str
    key_ref: str
    generation: int
    want: str  # open, or a kind of limit
    stated: Mapping[str, Any]  # what the kind needs: remaining_usd, requests_per_minute
    reasons: tuple[Mapping[str, Any], ...]
    held_reason: str | None
    approval_id: str | None  # a person has to say yes to this first


def stored_wants(connection: Connection) -> dict[tuple[str, str], StoredWant]:
    """What ought to stand, by (gateway, key)."""
    rows = connection.execute(
        select(desired_limit).order_by(desired_limit.c.gateway, desired_limit.c.key_ref)
    )
    return {
        (row.gateway, row.key_ref): StoredWant(
            gateway=row.gateway,
            key_ref=row.key_ref,
            generation=row.generation,
            want=row.want,
            stated=json.loads(row.want_json),
            reasons=tuple(json.loads(row.reason_json)),
            held_reason=row.held_reason,
            approval_id=row.approval_id,
        )
        for row in rows
    }


def limited_places(connection: Connection) -> frozenset[tuple[str, str]]:
    """(gateway, key) of each at which a limit of ours stands, or may."""
    rows = connection.execute(
        select(applied_limit.c.gateway, applied_limit.c.key_ref).where(
            applied_limit.c.verb != "release",
            applied_limit.c.phase.in_(("intent", "applied", "verified")),
        )
    )
    return frozenset((row.gateway, row.key_ref) for row in rows)


def save_want(connection: Connection, new: StoredWant, *, is_new: bool, snapshot_id: int) -> None:
    """What ought to stand for one key."""
    values = {
        "generation": new.generation,
        "want": new.want,
        "want_json": json.dumps(dict(new.stated), sort_keys=True),
        "reason_json": json.dumps([dict(reason) for reason in new.reasons], sort_keys=True),
        "held_reason": new.held_reason,
        "approval_id": new.approval_id,
        "snapshot_id": snapshot_id,
    }
    if is_new:
        connection.execute(
            insert(desired_limit).values(gateway=new.gateway, key_ref=new.key_ref, **values)
        )
        return
    connection.execute(
        update(desired_limit)
        .where(desired_limit.c.gateway == new.gateway, desired_limit.c.key_ref == new.key_ref)
        .values(**values)
    )
