"""One write at a gateway: intent recorded, absolute write, read back, outcome recorded and told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, func, or_, select

from ingestion.checkpoints import checkpoint
from orchestration.enforcement.gateway import (
    Gateway,
    GatewayRefused,
    GatewayUnavailable,
    KeyGone,
    KeyState,
    fingerprint,
)
from orchestration.enforcement.policy import Phase, Verb
from orchestration.governance.bodies import single_body
from orchestration.governance.endpoints import active_endpoints, subscribed
from orchestration.ops import lease, reconciler
from orchestration.ops.outbox import enqueue
from orchestration.ops.people import armed_gateways, write_override
from orchestration.ops.reconciler import Limit
from orchestration.ops.store import writing
from orchestration.ops.tables import enforcement_action

TURN = timedelta(minutes=5)


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


@dataclass(frozen=True)
class Respected:
    """A person's change that is left alone: until when, and the use per budget as it began."""

    until: datetime
    marks: Mapping[str, str]


class TurnLost(Exception):
    """Another process took over, the want changed or a person disarmed: write nothing."""


def act(
    turn: Turn, limit: Limit, *, verb: Verb, gateway: Gateway, before: KeyState, why: str
) -> tuple[str, Mapping[str, Any] | None]:
    """What came of it (`verified`, `pending_verify`, `unknown`, `gone`) and the key afterwards.

    GatewayRefused passes through, after its record.
    """
    ours = fingerprint(blocked=True, generation=limit.desired.generation)
    # Until a release is seen to have worked the block's own fingerprint is what is ours.
    wrote = ours if verb == "block" else limit.applied and limit.applied.wrote_fingerprint
    previous = before.shown() if verb == "block" else limit.previous
    with writing(turn.engine) as connection:
        _require_turn(connection, turn, limit)
        _save(connection, turn, limit, verb, "intent", previous, wrote, before.fingerprint)
        _log(connection, turn, limit, verb, "intent", why, before.shown(), None)
        if verb == "block":
            reconciler.clear_override(connection, limit)
    checkpoint("reconcile.intent")
    is_clear = True
    try:
        if verb == "block":
            gateway.block(limit.key_ref, generation=limit.desired.generation, current=before)
        else:
            gateway.restore(limit.key_ref, previous=previous or {}, current=before)
    except GatewayUnavailable:
        is_clear = False  # it may have worked: what the key shows now decides
    except (GatewayRefused, KeyGone) as error:
        result = "gone" if isinstance(error, KeyGone) else "refused"
        with writing(turn.engine) as connection:
            if result == "gone":
                _save(connection, turn, limit, verb, "gone", previous, None, None)
            _log(connection, turn, limit, verb, result, str(error), before.shown(), None)
        if result == "gone":
            return result, None
        raise
    checkpoint("reconcile.applied")
    after = _read_back(gateway, limit)
    done = after is not None and (
        after.fingerprint == ours if verb == "block" else not after.blocked
    )
    phase: Phase = "verified" if done else ("applied" if is_clear else "intent")
    result = {"verified": "verified", "applied": "pending_verify"}.get(phase, "unknown")
    with writing(turn.engine) as connection:
        if not lease.still_held(connection, name=turn.lease_name, fence=turn.fence):
            raise TurnLost(turn.name)
        wrote = None if verb == "unblock" and done else wrote
        seen = after.fingerprint if after else None
        _save(connection, turn, limit, verb, phase, previous, wrote, seen)
        shown = after.shown() if after else None
        _log(connection, turn, limit, verb, result, why, before.shown(), shown)
        if done:
            tell(connection, turn, limit, verb=verb, why=why)
    checkpoint("reconcile.recorded")
    return result, shown


def tell(connection: Connection, turn: Turn, limit: Limit, *, verb: str, why: str) -> int:
    """How many messages say what was done, in the transaction of its record."""
    event_type = {
        "block": "limit.applied",
        "unblock": "limit.released",
        "override": "limit.override_detected",
    }[verb]
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
        active_endpoints(connection), event_type=event_type, entities=limit.lineage
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
                "limit": "block",
                "generation": limit.desired.generation,
                "why": why,
                "causes": [_cause(reason) for reason in limit.reasons[:20]],
            },
        ),
        created_at=at,
    )


def record(
    turn: Turn,
    limit: Limit,
    *,
    step: str,
    verb: Verb,
    phase: Phase | None,
    why: str,
    wrote: str | None,
    seen: KeyState | None,
    told: str | None,
    respected: Respected | None,
    dry_run: bool,
    result: str,
) -> bool:
    """A finding without a write: its record, and its message if it has one. True if it was news."""
    with writing(turn.engine) as connection:
        if not lease.still_held(connection, name=turn.lease_name, fence=turn.fence):
            raise TurnLost(turn.name)
        if phase is not None:
            previous = limit.previous
            mark = seen.fingerprint if seen else None
            _save(connection, turn, limit, verb, phase, previous, wrote, mark)
        if respected is not None:
            write_override(
                connection,
                gateway=limit.gateway,
                key_ref=limit.key_ref,
                until=respected.until,
                by="a person at the gateway",
                reason=why,
                marks=dict(respected.marks),
            )
        shown = seen.shown() if seen else None
        is_news = _log(connection, turn, limit, step, result, why, shown, None, dry_run=dry_run)
        if told is not None:
            # A block found in place after a crash is told with the reason it was written for.
            reason = reconciler.reason_of_intent(connection, limit) if told != "override" else None
            tell(connection, turn, limit, verb=told, why=reason or why)
        return is_news


def _require_turn(connection: Connection, turn: Turn, limit: Limit) -> None:
    until = turn.now() + TURN
    is_ours = lease.extend(connection, name=turn.lease_name, fence=turn.fence, until=until)
    is_armed = turn.name in armed_gateways(connection)
    if not (is_ours and is_armed and reconciler.is_current(connection, limit)):
        raise TurnLost(turn.name)


def _read_back(gateway: Gateway, limit: Limit) -> KeyState | None:
    try:
        return gateway.read(limit.key_ref)
    except (GatewayUnavailable, GatewayRefused, KeyGone):
        return None


def _save(
    connection: Connection,
    turn: Turn,
    limit: Limit,
    verb: Verb,
    phase: Phase,
    previous: Mapping[str, Any] | None,
    wrote: str | None,
    observed: str | None,
) -> None:
    reconciler.save_applied(
        connection,
        limit,
        verb=verb,
        phase=phase,
        previous=previous,
        wrote_fingerprint=wrote,
        observed_fingerprint=observed,
        at=turn.now(),
    )


def _log(
    connection: Connection,
    turn: Turn,
    limit: Limit,
    verb: str,
    result: str,
    why: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    *,
    dry_run: bool = False,
) -> bool:
    return reconciler.append_action(
        connection,
        limit,
        verb=verb,
        result=result,
        why=why,
        by=turn.by,
        at=turn.now(),
        dry_run=dry_run,
        before=before,
        after=after,
    )


def _cause(reason: Mapping[str, Any]) -> dict[str, Any]:
    names = ("budget_id", "entity_key", "entity_name", "used", "amount", "transition_id")
    return {**{name: reason.get(name) for name in names}, "currency": "USD"}
