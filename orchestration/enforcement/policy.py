"""What to do about one key: desired x applied x observed x what a person decided. Pure.

The three-way compare: what ought to be (desired), what we wrote last (applied), what the gateway
shows (observed). A difference between the last two that we did not make is a person's, and stays.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from orchestration.enforcement.gateway import (
    Kind,
    Settings,
    are_set,
    fingerprint,
    is_as_tight,
)

Want = Kind | Literal["open"]
Verb = Kind | Literal["release"]
Phase = Literal["noop", "intent", "applied", "verified", "held", "override", "gone"]
Step = (
    Verb
    | Literal[
        "none",  # nothing to do, nothing to record
        "adopt",  # our write is in place, only its record is missing
        "foreign",  # somebody else's limit: recorded, never undone
        "override",  # a person undid ours: respected
        "hold",  # the data are not trusted, or a person has to approve: no new limit
        "wait",  # written, not visible yet
        "settle",  # open already: recorded as done
        "gone",
        "unable",  # this gateway has no such limit: the alert is all
        "unknown",
    ]
)
_NO_WRITE = frozenset(
    ("none", "adopt", "foreign", "override", "hold", "wait", "settle", "gone", "unable", "unknown")
)


@dataclass(frozen=True)
class Desired:
    """What ought to stand."""

    want: Want
    generation: int
    held_reason: str | None


@dataclass(frozen=True)
class Applied:
    """What we did last, and the settings it left."""

    verb: Verb
    generation: int
    phase: Phase
    wrote: Settings
    wrote_fingerprint: str | None
    at: datetime
    found_fingerprint: str | None = None  # of what the key showed last, in what we wrote


@dataclass(frozen=True)
class Observed:
    """What the gateway shows; `unread` where it could not or may not be asked."""

    status: Literal["found", "gone", "unread"]
    settings: Settings = field(default_factory=dict)
    mark: int | str | None = None


@dataclass(frozen=True)
class Plan:
    """The next step for a key, and why. `is_write` steps need an armed gateway."""

    step: Step
    why: str

    @property
    def is_write(self) -> bool:
        """True if the step changes something at the gateway."""
        return self.step not in _NO_WRITE


def needs_reading(desired: Desired, applied: Applied | None) -> bool:
    """False where whatever the gateway shows, there is nothing to do."""
    if desired.want != "open":
        return applied is None or applied.phase != "gone"
    return applied is not None and is_unreleased(applied)


def plan(
    desired: Desired,
    *,
    applied: Applied | None,
    observed: Observed,
    settings: Settings | None,
    override_stands: bool,
    settle: timedelta | None,
    now: datetime,
) -> Plan:
    """The one step that brings the key nearer to what ought to be, without undoing a person.

    `settings` is what the want is at this gateway; None where it has no such limit, or was not
    asked.
    """
    if observed.status == "gone":
        done = applied is not None and applied.phase == "gone"
        return Plan("none" if done else "gone", "the gateway does not know this key")
    if desired.want == "open":
        return _plan_open(applied, observed, settle)
    unreleased = applied if applied is not None and is_unreleased(applied) else None
    if observed.status == "unread":
        if unreleased is not None:
            return Plan("none", "limited by us; the gateway is not configured here")
        return _plan_new(desired, override_stands=override_stands)
    if unreleased is not None and is_ours(unreleased, observed):
        return _plan_ours(desired, unreleased, settings, override_stands=override_stands)
    if settings is None:
        return Plan("unable", f"this gateway has no {desired.want} for it")
    is_before_ours = unreleased is not None and _is_still_as_found(unreleased, observed)
    if is_as_tight(observed.settings, settings) and not is_before_ours:
        return _plan_foreign(desired, applied, unreleased)
    if not override_stands and applied is not None:
        undone = _was_undone(desired, applied, observed, settle=settle, now=now)
        if undone is not None:
            return undone
    return _plan_new(desired, override_stands=override_stands)


def _plan_open(applied: Applied | None, observed: Observed, settle: timedelta | None) -> Plan:
    if applied is None or not is_unreleased(applied):
        return Plan("none", "nothing of ours to release")
    if observed.status == "unread":
        return Plan("release", "the limit no longer applies")
    is_in_place = are_set(observed.settings, applied.wrote)
    is_asked = settle is None and applied.phase in ("intent", "applied")
    if is_asked and applied.verb != "release" and not is_in_place:
        return Plan("release", "asked for and not confirmed: it is taken back")
    if settle is None and (applied.verb, applied.phase) == ("release", "applied"):
        return Plan("wait" if is_in_place else "settle", "the release is asked for")
    if _is_still_as_found(applied, observed):
        return Plan("release", "an earlier limit of ours is in place")
    if not is_in_place:
        return Plan("settle", "open already")
    if is_ours(applied, observed):
        return Plan("release", "the limit no longer applies and it is ours")
    return Plan("foreign", "limited, but not as we left it: a person decides")


def _plan_new(desired: Desired, *, override_stands: bool) -> Plan:
    if override_stands:
        return Plan("none", "a person's override stands")
    if desired.held_reason is not None:
        return Plan("hold", desired.held_reason)
    return Plan(_verb(desired), "a budget asks for it")


def _plan_ours(
    desired: Desired, ours: Applied, settings: Settings | None, *, override_stands: bool
) -> Plan:
    if override_stands:
        return Plan("release", "a person's override")
    if settings is not None and not are_set(ours.wrote, settings):
        if desired.held_reason is not None:
            return Plan("none", "limited by us; another limit waits")
        return Plan(_verb(desired), "the limit is another now")
    is_recorded = (
        ours.verb != "release"
        and ours.phase == "verified"
        and ours.generation == desired.generation
    )
    return Plan("none" if is_recorded else "adopt", "limited by us")


def _plan_foreign(desired: Desired, applied: Applied | None, unreleased: Applied | None) -> Plan:
    if applied is not None and _is_foreign(applied, desired):
        return Plan("none", "limited by somebody else")
    if unreleased is not None and unreleased.phase == "intent":
        return Plan("foreign", "limited without our mark after an interrupted write: not ours")
    return Plan("foreign", "limited by somebody else")


def _was_undone(
    desired: Desired,
    applied: Applied,
    observed: Observed,
    *,
    settle: timedelta | None,
    now: datetime,
) -> Plan | None:
    """A key found open after we (or, on record, somebody else) had it limited."""
    if applied.verb == "release":
        return None
    if applied.phase == "verified":
        return Plan("override", "a person opened a key that we had limited")
    # A cap that falls passes the limit of somebody else: nobody opened anything.
    if _is_foreign(applied, desired) and applied.verb != "cap_to_remaining":
        return Plan("override", "a person opened a key that somebody else had limited")
    # A cap is written again under one mark: an older one of ours may be what is there.
    is_marked = observed.mark == applied.generation and applied.verb != "cap_to_remaining"
    if applied.phase in ("intent", "applied") and is_marked:
        return Plan("override", "our mark is there but the key is open: a person opened it")
    if applied.phase == "applied" and (settle is None or now - applied.at < settle):
        return Plan("wait", "written; the gateway does not show it yet")
    return None


def _verb(desired: Desired) -> Kind:
    if desired.want == "open":
        raise ValueError("an open key has no limit to set")
    return desired.want


def _is_foreign(applied: Applied, desired: Desired) -> bool:
    """True if somebody else's limit was found under this very want."""
    is_limit = applied.verb != "release" and applied.phase == "noop"
    return is_limit and applied.generation == desired.generation


def is_ours(applied: Applied, observed: Observed) -> bool:
    """True if the key is as we left it, our mark included."""
    seen = {name: observed.settings.get(name) for name in applied.wrote}
    return applied.wrote_fingerprint == fingerprint(seen, mark=observed.mark)


def _is_still_as_found(applied: Applied, observed: Observed) -> bool:
    """True if a limit of ours was to change, the write is in doubt, and the old one stands."""
    is_in_doubt = applied.verb != "release" and applied.phase in ("intent", "applied")
    if not is_in_doubt or applied.wrote_fingerprint is None or observed.mark is None:
        return False  # without a mark of ours nobody can tell whose it is
    seen = {name: observed.settings.get(name) for name in applied.wrote}
    return applied.found_fingerprint == fingerprint(seen, mark=observed.mark)


def is_unreleased(applied: Applied) -> bool:
    """True while a limit of ours may be in place."""
    if applied.phase not in ("intent", "applied", "verified"):
        return False
    return applied.verb != "release" or applied.phase != "verified"
