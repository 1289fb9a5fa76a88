"""One write at a gateway: intent recorded, absolute write, read back, outcome recorded and told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from ingestion.checkpoints import checkpoint
from orchestration.enforcement.gateway import (
    Gateway,
    GatewayRefused,
    GatewayUnavailable,
    KeyGone,
    KeyState,
    Kind,
    Settings,
    are_set,
    fingerprint,
)
from orchestration.enforcement.policy import Applied, Phase, Verb, is_unreleased
from orchestration.enforcement.telling import Turn, is_told, tell
from orchestration.ops import lease, reconciler
from orchestration.ops.people import armed_gateways, write_override
from orchestration.ops.reconciler import Limit
from orchestration.ops.store import writing

TURN = timedelta(minutes=5)


@dataclass(frozen=True)
class Respected:
    """A person's change that is left alone: until when, and the use per budget as it began."""

    until: datetime
    marks: Mapping[str, str]


class TurnLost(Exception):
    """Another took over, the want changed, a person disarmed or overrode: write nothing."""


@dataclass(frozen=True)
class Write:
    """One absolute write: what it is for, and the settings it leaves."""

    verb: Verb
    settings: Settings
    previous: Settings  # what a release puts back


def limiting(limit: Limit, kind: Kind, settings: Settings, *, before: KeyState) -> Write:
    """The write of a limit; one of ours makes room and keeps what stood before it."""
    ours = limit.applied
    if ours is None or not _may_stand(ours, before):
        return Write(kind, settings, before.shown())
    previous = limit.previous or {}
    made_room = {name: previous.get(name) for name in ours.wrote}
    return Write(kind, {**made_room, **settings}, previous)


def _may_stand(ours: Applied, before: KeyState) -> bool:
    """True if a limit of ours is in place, or was to be: a write that was interrupted may be."""
    if not is_unreleased(ours):
        return False
    is_in_place = before.fingerprint(ours.wrote) == ours.wrote_fingerprint
    return is_in_place or ours.phase in ("intent", "applied")


def releasing(limit: Limit) -> Write:
    """The write that puts back what stood before ours."""
    previous = limit.previous or {}
    wrote = limit.applied.wrote if limit.applied else {}
    return Write("release", {name: previous.get(name) for name in wrote}, previous)


def act(
    turn: Turn, limit: Limit, write: Write, *, gateway: Gateway, before: KeyState, why: str
) -> tuple[str, Mapping[str, Any] | None]:
    """What came of it (`verified`, `pending_verify`, `unknown`, `gone`) and the key afterwards.

    GatewayRefused passes through, after its record.
    """
    is_limit = write.verb != "release"
    mark = limit.desired.generation if is_limit else None
    left = None
    if mark is not None:
        left = gateway.mark_left(limit.key_ref, write.settings, generation=mark)
    limits = write.settings if is_limit else (limit.applied.wrote if limit.applied else {})
    # Until a release is seen to have worked the limit's own fingerprint is what is ours. Without
    # a mark nothing is ours until the gateway has answered.
    wrote = limit.applied and limit.applied.wrote_fingerprint
    if is_limit:
        wrote = fingerprint(limits, mark=left) if left is not None else None

    def save(connection: Connection, phase: Phase, ours: str | None, seen: str | None) -> None:
        _save(connection, turn, limit, write.verb, phase, write.previous, limits, ours, seen)

    with writing(turn.engine) as connection:
        _require_turn(connection, turn, limit)
        save(connection, "intent", wrote, before.fingerprint(limits))
        _log(connection, turn, limit, write.verb, "intent", why, before.shown(), None)
        if is_limit:
            reconciler.clear_override(connection, limit)
    checkpoint("reconcile.intent")
    is_clear = True
    try:
        answer = gateway.write(limit.key_ref, write.settings, mark=mark, current=before)
        if answer is not None and is_limit and left is None:
            wrote = answer.fingerprint(limits)
    except GatewayUnavailable:
        is_clear = False  # it may have worked: what the key shows now decides
    except (GatewayRefused, KeyGone) as error:
        result = "gone" if isinstance(error, KeyGone) else "refused"
        with writing(turn.engine) as connection:
            if result == "gone":
                save(connection, "gone", None, None)
            _log(connection, turn, limit, write.verb, result, str(error), before.shown(), None)
        if result == "gone":
            return result, None
        raise
    checkpoint("reconcile.applied")
    after = _read_back(gateway, limit)
    done = after is not None and are_set(after.settings, write.settings)
    if after is not None and left is not None:
        done = done and after.mark == left
    if after is not None and done and is_limit and left is None:
        wrote = after.fingerprint(limits)
    phase: Phase = "verified" if done else ("applied" if is_clear else "intent")
    result = {"verified": "verified", "applied": "pending_verify"}.get(phase, "unknown")
    with writing(turn.engine) as connection:
        if not lease.still_held(connection, name=turn.lease_name, fence=turn.fence):
            raise TurnLost(turn.name)
        wrote = None if not is_limit and done else wrote
        save(connection, phase, wrote, (after or before).fingerprint(limits))
        shown = after.shown() if after else None
        _log(connection, turn, limit, write.verb, result, why, before.shown(), shown)
        if done and not is_told(limit, write.verb):
            tell(connection, turn, limit, verb=write.verb, why=why)
    checkpoint("reconcile.recorded")
    return result, shown


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
            settings = limit.applied.wrote if limit.applied else {}
            mark = seen.fingerprint(settings) if seen else None
            _save(connection, turn, limit, verb, phase, previous, settings, wrote, mark)
        # Where a person has said for how long meanwhile, that stands.
        if respected is not None and reconciler.is_override_as_read(connection, limit):
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
    settings: Settings,
    wrote: str | None,
    observed: str | None,
) -> None:
    reconciler.save_applied(
        connection,
        limit,
        verb=verb,
        phase=phase,
        previous=previous,
        wrote=settings,
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
