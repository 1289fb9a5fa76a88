"""Messages about limits: what was set, released or undone, in the transaction of its record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, or_, select

from orchestration.enforcement.policy import Verb
from orchestration.governance.bodies import single_body, unit_of
from orchestration.governance.endpoints import hearing_endpoints, subscribed
from orchestration.governance.fitting import listed
from orchestration.ops.outbox import enqueue
from orchestration.ops.reconciler import Limit
from orchestration.ops.tables import enforcement_action


@dataclass(frozen=True)
class Turn:
    """This process's turn at one gateway."""

    engine: Engine
    name: str
    fence: int
    now: Callable[[], datetime]
    by: str

    @property
    def lease_name(self) -> str:
        """The name under which turns at this gateway are taken."""
        return f"reconcile:{self.name}"


def is_told(limit: Limit, verb: Verb) -> bool:
    """True if this want's limit was in place already, and only its height is another."""
    done = limit.applied
    is_same = done is not None and done.verb == verb and done.phase == "verified"
    return is_same and done is not None and done.generation == limit.desired.generation


def tell(connection: Connection, turn: Turn, limit: Limit, *, verb: str, why: str) -> int:
    """How many messages say what was done, in the transaction of its record."""
    event_type = {
        "release": "limit.released",
        "override": "limit.override_detected",
    }.get(verb, "limit.applied")
    kind = limit.desired.want if limit.desired.want != "open" else limit.ended_kind
    # Counts what was completed, in the transaction that completes it: a second block under one
    # generation gets its own id, a crash in between changes none.
    acts = connection.scalar(
        select(func.count())
        .select_from(enforcement_action)
        .where(
            enforcement_action.c.gateway == limit.gateway,
            enforcement_action.c.key_ref == limit.key_ref,
            or_(
                enforcement_action.c.result == "verified",
                enforcement_action.c.verb.in_(("adopt", "settle", "override")),
            ),
        )
    )
    at = turn.now()
    targets = subscribed(
        hearing_endpoints(connection), event_type=event_type, entities=limit.lineage
    )
    return enqueue(
        connection,
        subject_kind="limit",
        subject_id=f"{verb}|{limit.gateway}|{limit.key_ref}|{limit.desired.generation}|{acts}",
        event_type=event_type,
        endpoint_ids=[target.id for target in targets],
        body=single_body(
            event_type,
            timestamp=at,
            data={
                "gateway": limit.gateway,
                "key_alias": limit.key_alias,
                "limit": kind,
                "generation": limit.desired.generation,
                "why": why,
                **listed("causes", [cause(reason) for reason in limit.reasons]),
            },
        ),
        created_at=at,
    )


def cause(reason: Mapping[str, Any]) -> dict[str, Any]:
    """What a message says of one budget that asks for a limit; its amounts are in its unit."""
    names = ("budget_id", "entity_key", "entity_name", "used", "amount", "transition_id")
    return {**{name: reason.get(name) for name in names}, **unit_of(reason.get("unit") or "usd")}
