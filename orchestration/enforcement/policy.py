"""What to do about one key: desired x applied x observed x what a person decided. Pure.

The three-way compare: what ought to be (desired), what we wrote last (applied), what the gateway
shows (observed). A difference between the last two that we did not make is a person's, and stays.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from orchestration.enforcement.gateway import fingerprint

Want = Literal["block", "open"]
Verb = Literal["block", "unblock"]
Phase = Literal["noop", "intent", "applied", "verified", "held", "override", "gone"]
Step = Literal[
    "none",  # nothing to do, nothing to record
    "block",
    "unblock",
    "adopt",  # our write is in place, only its record is missing
    "foreign",  # somebody else's block: recorded, never undone
    "override",  # a person undid ours: respected
    "hold",  # the data are not trusted: no new block
    "wait",  # written, not visible yet
    "settle",  # open already: recorded as done
    "gone",
    "unknown",
]


@dataclass(frozen=True)
class Desired:
    """What ought to stand."""

    want: Want
    generation: int
    held_reason: str | None


@dataclass(frozen=True)
class Applied:
    """What we did last."""

    verb: Verb
    generation: int
    phase: Phase
    wrote_fingerprint: str | None
    at: datetime


@dataclass(frozen=True)
class Observed:
    """What the gateway shows; `unread` where it could not or may not be asked."""

    status: Literal["found", "gone", "unread"]
    blocked: bool
    generation: int | None

    @property
    def fingerprint(self) -> str:
        """The digest of what is shown."""
        return fingerprint(blocked=self.blocked, generation=self.generation)


@dataclass(frozen=True)
class Plan:
    """The next step for a key, and why. `is_write` steps need an armed gateway."""

    step: Step
    why: str

    @property
    def is_write(self) -> bool:
        """True if the step changes something at the gateway."""
        return self.step in ("block", "unblock")


def needs_reading(desired: Desired, applied: Applied | None) -> bool:
    """False where whatever the gateway shows, there is nothing to do."""
    if desired.want == "block":
        return applied is None or applied.phase != "gone"
    return applied is not None and _is_unreleased(applied)


def plan(
    desired: Desired,
    *,
    applied: Applied | None,
    observed: Observed,
    override_stands: bool,
    settle: timedelta | None,
    now: datetime,
) -> Plan:
    """The one step that brings the key nearer to what ought to be, without undoing a person."""
    if observed.status == "gone":
        done = applied is not None and applied.phase == "gone"
        return Plan("none" if done else "gone", "the gateway does not know this key")
    if desired.want == "open":
        return _plan_open(applied, observed, settle)
    return _plan_block(
        desired, applied, observed, override_stands=override_stands, settle=settle, now=now
    )


def _plan_open(applied: Applied | None, observed: Observed, settle: timedelta | None) -> Plan:
    if applied is None or not _is_unreleased(applied):
        return Plan("none", "nothing of ours to release")
    if observed.status == "unread":
        return Plan("unblock", "the limit no longer applies")
    is_asked = settle is None and applied.phase in ("intent", "applied")
    if is_asked and applied.verb == "block" and not observed.blocked:
        return Plan("unblock", "asked for and not confirmed: it is taken back")
    if settle is None and (applied.verb, applied.phase) == ("unblock", "applied"):
        step = "wait" if observed.blocked else "settle"
        return Plan(step, "the release is asked for")
    if not observed.blocked:
        return Plan("settle", "open already")
    if _is_ours(applied, observed):
        return Plan("unblock", "the limit no longer applies and the block is ours")
    return Plan("foreign", "blocked, but not as we left it: a person decides")


def _plan_block(
    desired: Desired,
    applied: Applied | None,
    observed: Observed,
    *,
    override_stands: bool,
    settle: timedelta | None,
    now: datetime,
) -> Plan:
    unreleased = applied if applied is not None and _is_unreleased(applied) else None
    if observed.status == "unread" and unreleased is not None:
        return Plan("none", "limited by us; the gateway is not configured here")
    if observed.status == "found" and observed.blocked:
        if override_stands and _is_ours(unreleased, observed):
            return Plan("unblock", "a person's override")
        return _plan_blocked(desired, applied, observed, unreleased)
    if override_stands:
        return Plan("none", "a person's override stands")
    if observed.status == "found" and applied is not None:
        undone = _was_undone(desired, applied, observed, settle=settle, now=now)
        if undone is not None:
            return undone
    if desired.held_reason is not None:
        return Plan("hold", desired.held_reason)
    return Plan("block", "the budget is critical")


def _plan_blocked(
    desired: Desired, applied: Applied | None, observed: Observed, unreleased: Applied | None
) -> Plan:
    if unreleased is not None and _is_ours(unreleased, observed):
        is_recorded = (
            unreleased.verb == "block"
            and unreleased.phase == "verified"
            and unreleased.generation == desired.generation
        )
        return Plan("none" if is_recorded else "adopt", "blocked by us")
    if applied is not None and _is_foreign(applied, desired):
        return Plan("none", "blocked by somebody else")
    if unreleased is not None and unreleased.phase == "intent":
        return Plan("foreign", "blocked without our mark after an interrupted write: not ours")
    return Plan("foreign", "blocked by somebody else")


def _was_undone(
    desired: Desired,
    applied: Applied,
    observed: Observed,
    *,
    settle: timedelta | None,
    now: datetime,
) -> Plan | None:
    """A key found open after we (or, on record, somebody else) had it blocked."""
    if applied.verb != "block":
        return None
    if applied.phase == "verified":
        return Plan("override", "a person opened a key that we had blocked")
    if _is_foreign(applied, desired):
        return Plan("override", "a person opened a key that somebody else had blocked")
    if applied.phase in ("intent", "applied") and observed.generation == applied.generation:
        return Plan("override", "our mark is there but the key is open: a person opened it")
    if applied.phase == "applied" and (settle is None or now - applied.at < settle):
        return Plan("wait", "written; the gateway does not show it yet")
    return None


def _is_foreign(applied: Applied, desired: Desired) -> bool:
    """True if somebody else's block was found under this very want."""
    is_block = applied.verb == "block" and applied.phase == "noop"
    return is_block and applied.generation == desired.generation


def _is_ours(applied: Applied | None, observed: Observed) -> bool:
    return applied is not None and applied.wrote_fingerprint == observed.fingerprint


def _is_unreleased(applied: Applied) -> bool:
    """True while a block of ours may be in place."""
    if applied.phase not in ("intent", "applied", "verified"):
        return False
    return applied.verb == "block" or applied.phase != "verified"
