"""Keys at the gateways brought to what ought to stand, one step a key, and a list of what was done.

Dry run unless a person armed the gateway in the ops store: then everything is read and planned,
and nothing is written. A gateway without a configured client is planned without being read.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from sqlalchemy import Engine

from orchestration.enforcement import acting
from orchestration.enforcement.acting import Respected, TurnLost
from orchestration.enforcement.caps import settled_cap
from orchestration.enforcement.credentials import tell_credential
from orchestration.enforcement.gateway import (
    Gateway,
    GatewayRefused,
    GatewayUnavailable,
    KeyGone,
    KeyRefused,
    KeyState,
    Settings,
    never_looser,
)
from orchestration.enforcement.policy import (
    Observed,
    Phase,
    Plan,
    Verb,
    is_ours,
    is_unreleased,
    needs_reading,
    plan,
)
from orchestration.enforcement.rules import Rules, override_stands
from orchestration.enforcement.telling import Turn
from orchestration.ops import lease, reconciler
from orchestration.ops.lease import holder_name
from orchestration.ops.people import armed_gateways
from orchestration.ops.reconciler import Limit
from orchestration.ops.store import reading, writing

_LOG = logging.getLogger(__name__)
_UNANSWERED_AT_MOST = 3  # in a row: then it is the gateway, not the key


@dataclass(frozen=True)
class Action:
    """What was done, planned or found for one key."""

    gateway: str
    key_ref: str
    key_alias: str | None
    generation: int
    step: str
    result: str  # planned | verified | pending_verify | unknown | refused | gone | recorded
    why: str
    dry_run: bool


def reconcile(
    engine: Engine,
    *,
    gateways: Mapping[str, Gateway],
    now: Callable[[], datetime],
    by: str,
    rules: Rules,
) -> list[Action]:
    """One reconciliation of every gateway; those whose turn another process has are left to it."""
    with reading(engine) as connection:
        names = reconciler.gateways_with_limits(connection)
    actions: list[Action] = []
    for name in names:
        with writing(engine) as connection:
            fence = lease.acquire(
                connection,
                name=f"reconcile:{name}",
                holder=holder_name(),
                now=now(),
                length=acting.TURN,
            )
        if fence is None:
            _LOG.info("gateway %s is being reconciled by another process", name)
            continue
        turn = Turn(engine=engine, name=name, fence=fence, now=now, by=by)
        try:
            actions += _reconcile_gateway(turn, gateways.get(name), rules)
        except TurnLost:
            _LOG.warning("gateway %s: what was planned changed meanwhile; the next run acts", name)
        finally:
            with writing(engine) as connection:
                lease.release(connection, name=turn.lease_name, fence=fence, now=now())
    return actions


def _reconcile_gateway(turn: Turn, gateway: Gateway | None, rules: Rules) -> list[Action]:
    with reading(turn.engine) as connection:
        limits = reconciler.limits_of(connection, turn.name, now=turn.now())
        failing = reconciler.failing_keys(connection, turn.name)
        is_armed = turn.name in armed_gateways(connection)
    actions: list[Action] = []
    unanswered, is_accepted = 0, False
    for limit in _in_turn(limits, failing=failing, start=turn.fence):
        try:
            action = _reconcile_key(turn, limit, gateway, is_armed=is_armed, rules=rules)
        except GatewayRefused as error:
            # The breaker: a credential that is refused once is refused for every key.
            _LOG.warning(
                "gateway %s refuses our credential (%s); its state is unknown", turn.name, error
            )
            actions.append(_finding(turn, limit, "refused", str(error)))
            tell_credential(turn, refusal=str(error))
            return actions
        except GatewayUnavailable as error:
            actions.append(_finding(turn, limit, "unknown", str(error)))
            is_answer = isinstance(error, KeyRefused)
            is_accepted |= is_answer
            unanswered = 0 if is_answer else unanswered + 1
            if unanswered == _UNANSWERED_AT_MOST:
                break
            continue
        unanswered, is_accepted = 0, gateway is not None
        if action is None and gateway is not None and limit.key_ref in failing:
            action = _finding(turn, limit, "recorded", "the gateway answers for it again")
        if action is not None:
            actions.append(action)
    if is_accepted:
        tell_credential(turn, refusal=None)
    return actions


def _in_turn(limits: Sequence[Limit], *, failing: Collection[str], start: int) -> list[Limit]:
    """The keys that are to be read: those that failed last time come last, each in turn first."""
    due = [limit for limit in limits if needs_reading(limit.desired, limit.applied)]
    good = [limit for limit in due if limit.key_ref not in failing]
    bad = [limit for limit in due if limit.key_ref in failing]
    first = start % len(bad) if bad else 0
    return [*good, *bad[first:], *bad[:first]]


def _reconcile_key(
    turn: Turn, limit: Limit, gateway: Gateway | None, *, is_armed: bool, rules: Rules
) -> Action | None:
    seen, observed = _observe(gateway, limit)
    settings = _settings(limit, gateway, seen, observed)
    todo = plan(
        limit.desired,
        applied=limit.applied,
        observed=observed,
        settings=settings,
        override_stands=override_stands(limit, now=turn.now(), rules=rules),
        settle=gateway.settle if gateway else None,
        now=turn.now(),
    )
    if todo.step == "none":
        return None
    if todo.step == "unable" and seen is not None and limit.desired.want in seen.unseen:
        todo = replace(todo, why=f"{todo.why}: {seen.unseen[limit.desired.want]}")
    if not todo.is_write:
        return _find(turn, limit, todo, seen, is_armed=is_armed, rules=rules)
    verb = cast("Verb", todo.step)
    if not is_armed or gateway is None or seen is None:
        why = todo.why if gateway is not None else f"{todo.why}; no client for this gateway"
        acting.record(
            turn,
            limit,
            step=verb,
            verb=verb,
            phase=None,
            why=why,
            wrote=None,
            seen=seen,
            told=None,
            respected=None,
            dry_run=True,
            result="planned",
        )
        return _action(turn, limit, todo.step, "planned", why, dry_run=True)
    if verb == "release":
        write = acting.releasing(limit)
    else:
        write = acting.limiting(limit, verb, settings or {}, before=seen)
    result, _ = acting.act(turn, limit, write, gateway=gateway, before=seen, why=todo.why)
    return _action(turn, limit, todo.step, result, todo.why, dry_run=False)


def _settings(
    limit: Limit, gateway: Gateway | None, seen: KeyState | None, observed: Observed
) -> Settings | None:
    """What the want is at this gateway, never looser than what stood there before us."""
    wanted = limit.wanted
    if gateway is None or seen is None or wanted is None:
        return None
    found = gateway.settings_for(limit.key_ref, wanted, current=seen)
    applied = limit.applied
    if found is None or applied is None or not is_unreleased(applied):
        return found
    if not is_ours(applied, observed):
        return found
    found = never_looser(found, limit.previous or {})
    is_same = applied.verb == wanted.kind and applied.generation == limit.desired.generation
    return settled_cap(found, applied.wrote, wanted=wanted) if is_same else found


def _find(
    turn: Turn, limit: Limit, todo: Plan, seen: KeyState | None, *, is_armed: bool, rules: Rules
) -> Action | None:
    """A finding that needs no write, recorded; in a dry run only where it is about our own act."""
    is_about_ours = limit.applied is not None
    applied = limit.applied
    verb: Verb = "release" if limit.desired.want == "open" else limit.desired.want
    phases: dict[str, Phase] = {
        "adopt": "verified",
        "settle": "verified",
        "foreign": "noop",
        "override": "override",
        "gone": "gone",
    }
    phase = phases.get(todo.step) if is_armed or is_about_ours else None
    told: str | None = None
    respected: Respected | None = None
    if todo.step == "adopt" and applied is not None and applied.phase != "verified":
        told = verb
    if todo.step == "settle" and applied is not None and applied.verb == "release":
        told = "release"
    if todo.step == "override" and phase is not None:
        told = "override"
        marks = {why["budget_id"]: why["used"] for why in limit.reasons if why.get("used")}
        respected = Respected(turn.now() + rules.override_for, marks)
    is_kept = todo.step == "adopt" and applied is not None
    is_news = acting.record(
        turn,
        limit,
        step=todo.step,
        verb=verb,
        phase=phase,
        why=todo.why,
        wrote=applied.wrote_fingerprint if is_kept and applied else None,
        seen=seen,
        told=told,
        respected=respected,
        dry_run=not is_armed,
        result="recorded",
    )
    return (
        _action(turn, limit, todo.step, "recorded", todo.why, dry_run=not is_armed)
        if is_news
        else None
    )


def _observe(gateway: Gateway | None, limit: Limit) -> tuple[KeyState | None, Observed]:
    if gateway is None:
        return None, Observed("unread")
    try:
        seen = gateway.read(limit.key_ref)
    except KeyGone:
        return None, Observed("gone")
    applied = limit.applied
    if applied is not None and is_unreleased(applied) and applied.verb in seen.unseen:
        raise KeyRefused(seen.unseen[applied.verb])  # not to be seen is not to be gone
    return seen, Observed("found", settings=seen.settings, mark=seen.mark)


def _finding(turn: Turn, limit: Limit, result: str, why: str) -> Action:
    with writing(turn.engine) as connection:
        reconciler.append_action(
            connection,
            limit,
            verb="read",
            result=result,
            why=why,
            by=turn.by,
            at=turn.now(),
            dry_run=False,
            before=None,
            after=None,
        )
    return _action(turn, limit, "read", result, why, dry_run=False)


def _action(turn: Turn, limit: Limit, step: str, result: str, why: str, *, dry_run: bool) -> Action:
    return Action(
        gateway=turn.name,
        key_ref=limit.key_ref,
        key_alias=limit.key_alias,
        generation=limit.desired.generation,
        step=step,
        result=result,
        why=why,
        dry_run=dry_run,
    )
