"""What is planned for a key, and that no walk of breaches, people and crashes undoes a person."""

import functools
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from budget_readings import AS_OF, budget, reading
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from ops_stores import rows, store_url
from sqlalchemy import Engine

from orchestration.enforcement.gateway import (
    GatewayUnavailable,
    KeyState,
    Settings,
    Wanted,
    fingerprint,
)
from orchestration.enforcement.policy import Applied, Desired, Observed, needs_reading, plan
from orchestration.enforcement.reconcile import reconcile
from orchestration.enforcement.rules import Rules
from orchestration.governance.evaluate import evaluate
from orchestration.ops.people import arm, disarm
from orchestration.ops.store import open_store
from orchestration.ops.tables import desired_limit, override

SETTLE = timedelta(minutes=2)
FOUR_HOURS = timedelta(hours=4)  # how long a person's change is respected
BLOCK = Desired("block", 3, None)
OPEN = Desired("open", 4, None)
BLOCKED: Settings = {"blocked": True}
OURS = fingerprint(BLOCKED, mark=3)
BLOCKED_BY_US = Applied("block", 3, "verified", BLOCKED, OURS, AS_OF)
INTENT = replace(BLOCKED_BY_US, phase="intent")
IS_OPEN = Observed("found", {"blocked": False}, None)
IS_OURS = Observed("found", BLOCKED, 3)
IS_FOREIGN = Observed("found", BLOCKED, None)
PERSON_OPENED = Observed("found", {"blocked": False}, 3)
GONE = Observed("gone")
UNREAD = Observed("unread")


def step_of(desired: Desired, applied: Applied | None, observed: Observed, **given: Any) -> str:
    settings = BLOCKED if observed.status == "found" else None
    usual = {"override_stands": False, "settle": SETTLE, "now": AS_OF}
    return plan(
        desired, applied=applied, observed=observed, settings=settings, **usual | given
    ).step


@pytest.mark.parametrize(
    ("desired", "applied", "observed", "step"),
    [
        (BLOCK, replace(INTENT, phase="applied"), IS_OPEN, "wait"),
        (BLOCK, replace(INTENT, phase="applied"), IS_OURS, "adopt"),
        (BLOCK, INTENT, IS_OPEN, "block"),
        (OPEN, replace(INTENT, phase="applied"), IS_OPEN, "release"),
        (OPEN, INTENT, IS_OPEN, "release"),
        (OPEN, BLOCKED_BY_US, IS_OURS, "release"),
        (OPEN, Applied("release", 4, "applied", BLOCKED, OURS, AS_OF), IS_OURS, "wait"),
        (OPEN, Applied("release", 4, "applied", BLOCKED, OURS, AS_OF), IS_OPEN, "settle"),
        (OPEN, Applied("release", 4, "intent", BLOCKED, OURS, AS_OF), IS_OURS, "release"),
    ],
)
def test_a_request_waits_for_its_confirmation_and_is_taken_back_rather_than_forgotten(
    desired: Desired, applied: Applied, observed: Observed, step: str
) -> None:
    late = AS_OF + timedelta(days=9)
    assert step_of(desired, applied, observed, settle=None, now=late) == step


@pytest.mark.parametrize(
    ("desired", "applied", "observed", "step"),
    [
        (BLOCK, None, IS_OPEN, "block"),
        (BLOCK, None, IS_FOREIGN, "foreign"),
        (BLOCK, None, UNREAD, "block"),
        (BLOCK, None, GONE, "gone"),
        (BLOCK, replace(INTENT, phase="gone"), GONE, "none"),
        (BLOCK, INTENT, IS_OPEN, "block"),  # the write never landed
        (BLOCK, INTENT, IS_OURS, "adopt"),  # it landed, the record is missing
        (BLOCK, INTENT, IS_FOREIGN, "foreign"),  # blocked without our mark: ambiguous
        (BLOCK, INTENT, PERSON_OPENED, "override"),  # it landed and a person opened the key
        (BLOCK, BLOCKED_BY_US, IS_OURS, "none"),
        (BLOCK, BLOCKED_BY_US, PERSON_OPENED, "override"),
        (BLOCK, BLOCKED_BY_US, IS_OPEN, "override"),
        (BLOCK, BLOCKED_BY_US, UNREAD, "none"),
        (BLOCK, replace(BLOCKED_BY_US, generation=1), IS_OURS, "adopt"),
        (BLOCK, replace(INTENT, phase="noop", wrote_fingerprint=None), IS_FOREIGN, "none"),
        (BLOCK, replace(INTENT, phase="noop", wrote_fingerprint=None), IS_OPEN, "override"),
        (BLOCK, replace(INTENT, phase="noop", generation=1), IS_OPEN, "block"),
        (BLOCK, replace(INTENT, phase="override"), PERSON_OPENED, "block"),  # it has expired
        (OPEN, None, IS_FOREIGN, "none"),
        (OPEN, BLOCKED_BY_US, IS_OURS, "release"),
        (OPEN, BLOCKED_BY_US, IS_FOREIGN, "foreign"),
        (OPEN, BLOCKED_BY_US, PERSON_OPENED, "settle"),
        (OPEN, INTENT, IS_OURS, "release"),
        (OPEN, INTENT, IS_OPEN, "settle"),
        (OPEN, replace(INTENT, phase="noop"), IS_FOREIGN, "none"),
        (OPEN, replace(INTENT, phase="override"), IS_OURS, "none"),
        (OPEN, Applied("release", 4, "intent", BLOCKED, OURS, AS_OF), IS_OURS, "release"),
        (OPEN, Applied("release", 4, "intent", BLOCKED, OURS, AS_OF), IS_OPEN, "settle"),
        (OPEN, Applied("release", 4, "intent", BLOCKED, OURS, AS_OF), IS_FOREIGN, "foreign"),
        (OPEN, Applied("release", 4, "verified", BLOCKED, None, AS_OF), IS_FOREIGN, "none"),
    ],
)
def test_the_step_that_follows(
    desired: Desired, applied: Applied | None, observed: Observed, step: str
) -> None:
    found = step_of(desired, applied, observed)
    assert found == step


def test_an_override_stops_a_block_and_lifts_ours_but_no_other() -> None:
    def step(applied: Applied | None, observed: Observed) -> str:
        return step_of(BLOCK, applied, observed, override_stands=True)

    assert step(None, IS_OPEN) == "none"
    assert step(BLOCKED_BY_US, IS_OURS) == "release"
    assert step(None, IS_FOREIGN) == "foreign"


def test_held_data_stop_a_new_block_and_keep_an_old_one() -> None:
    held = Desired("block", 3, "stale")

    def step(applied: Applied | None, observed: Observed) -> str:
        return step_of(held, applied, observed)

    assert step(None, IS_OPEN) == "hold"
    assert step(BLOCKED_BY_US, IS_OURS) == "none"


def test_nothing_is_read_where_nothing_can_follow() -> None:
    released = Applied("release", 4, "verified", BLOCKED, None, AS_OF)
    assert not needs_reading(OPEN, None) and not needs_reading(OPEN, released)
    assert needs_reading(BLOCK, None) and needs_reading(OPEN, BLOCKED_BY_US)


class Crash(BaseException):
    """The process is gone: nothing after this runs."""


class Gateway:
    """One key, and who set it last; `failing` loses the answer, or us, before or after the effect.

    Without marks it says when the key was changed last, and nothing else of by whom.
    """

    settle = SETTLE

    def __init__(self, *, has_marks: bool) -> None:
        self.has_marks = has_marks
        self.blocked = False
        self.generation: int | None = None
        self.changes = 0
        self.set_by = "nobody"
        self.failing: str | None = None
        self.writes = 0

    def mark_left(self, target: str, settings: Settings, *, generation: int) -> int | None:
        return generation if self.has_marks else None

    def read(self, target: str) -> KeyState:
        changed = f"change {self.changes}" if self.blocked else None
        return KeyState({"blocked": self.blocked}, self.generation if self.has_marks else changed)

    def settings_for(self, target: str, wanted: Wanted, *, current: KeyState) -> Settings:
        return BLOCKED

    def write(
        self, target: str, settings: Settings, *, mark: int | None, current: KeyState
    ) -> KeyState:
        if mark is None:
            assert self.set_by == "us", "undid what somebody else set"
        self.writes += 1
        failing, self.failing = self.failing, None
        if failing not in ("before", "crash_before"):
            # Without a mark nothing tells who wrote what nobody was told of.
            is_traced = self.has_marks or failing != "crash_after"
            self.set(bool(settings["blocked"]), mark, by="us" if is_traced else "unknown")
        if failing in ("crash_before", "crash_after"):
            raise Crash
        if failing:
            raise GatewayUnavailable("scripted")
        return self.read(target)

    def set(self, blocked: bool, generation: int | None, *, by: str) -> None:
        self.blocked, self.generation, self.set_by = blocked, generation, by
        self.changes += 1


@functools.cache
def store_once() -> tuple[Engine, bytes]:
    """A store for all walks, one after another, and its file when it was new: migrated once."""
    folder = Path(tempfile.mkdtemp())
    engine = open_store(store_url(folder))
    arm(engine, "litellm-main", by="ada", now=AS_OF)
    engine.dispose()
    return engine, (folder / "ops.sqlite").read_bytes()


def new_store() -> Engine:
    """The store as it was when it was new; closing the last connection took its log away."""
    engine, content = store_once()
    engine.dispose()
    Path(engine.url.database or "").write_bytes(content)
    return engine


class ReconcilerMachine(RuleBasedStateMachine):
    """One budget, one key, a person who changes it at will, a process that dies at will."""

    has_marks = True
    reconcile = staticmethod(reconcile)

    def __init__(self) -> None:
        super().__init__()
        self.engine = new_store()
        self.is_armed = True
        self.gateway = Gateway(has_marks=self.has_marks)
        self.snapshot = 0
        self.now = AS_OF
        self.opened_at = AS_OF - timedelta(days=9)
        self.seen_open_at: datetime | None = None  # the first run after a person opened the key
        self.is_opening_unseen = False

    @rule(used=st.sampled_from(["0", "1000"]))
    def spend(self, used: str) -> None:
        self.snapshot += 1
        evaluate(self.engine, reading=reading(self.snapshot, budget(used)))

    @rule(blocked=st.booleans())
    def person(self, blocked: bool) -> None:
        if self.gateway.blocked == blocked:
            return
        # A block by hand on top of our mark cannot be told from ours unless we saw it open.
        generation = None if blocked else self.gateway.generation
        self.gateway.set(blocked, generation, by="person")
        self.is_opening_unseen |= not blocked
        wants = [row["want"] for row in rows(self.engine, desired_limit)]
        if not blocked and wants == ["block"]:
            self.run()
            if rows(self.engine, override):  # seen: the key was known to be blocked
                self.opened_at = self.now

    @rule(hours=st.integers(0, 6))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(is_armed=st.sampled_from([True, True, False]))
    def switch(self, is_armed: bool) -> None:
        self.is_armed = is_armed
        (arm if is_armed else disarm)(self.engine, "litellm-main", by="ada", now=self.now)

    @rule(failing=st.sampled_from(["before", "after", "crash_before", "crash_after"]))
    def fault(self, failing: str) -> None:
        self.gateway.failing = failing

    @rule()
    def run(self) -> None:
        before = (self.gateway.writes, self.gateway.blocked)
        if self.is_opening_unseen:
            self.seen_open_at, self.is_opening_unseen = self.now, False
        with suppress(Crash):
            self.reconcile(
                self.engine,
                gateways={"litellm-main": self.gateway},
                now=lambda: self.now,
                by="test",
                rules=Rules(),
            )
        assert self.gateway.writes <= before[0] + self.is_armed, "wrote twice, or in a dry run"
        if self.now < self.opened_at + FOUR_HOURS:
            assert not (self.gateway.blocked and not before[1]), "blocked again too early"

    @rule()
    def converge(self) -> None:
        self.gateway.failing = None
        before = self.gateway.blocked
        for _ in range(2):
            self.run()
        writes = self.gateway.writes
        self.require_as_desired(before)
        self.run()
        assert self.gateway.writes == writes, "wrote a third time"
        self.require_as_desired(before)

    def require_as_desired(self, before: bool) -> None:
        """The key is as it ought to be, unless a dry run or a person is why it is not."""
        if not self.is_armed:
            assert self.gateway.blocked == before, "changed in a dry run"
            return
        wants = [row["want"] for row in rows(self.engine, desired_limit)]
        if wants == ["block"]:
            assert self.gateway.blocked or self.is_overridden(), "open, and ought to be blocked"
        else:
            is_ours = self.gateway.blocked and self.gateway.set_by == "us"
            assert not is_ours, "blocked by us, and ought to be open"

    def is_overridden(self) -> bool:
        """True within four hours of the first run that could see that a person opened the key."""
        return self.seen_open_at is not None and self.now < self.seen_open_at + FOUR_HOURS


class MarklessMachine(ReconcilerMachine):
    """The same at a gateway that keeps no mark of ours."""

    has_marks = False


WALKS = settings(
    derandomize=True,
    deadline=None,
    max_examples=200,
    stateful_step_count=15,
    suppress_health_check=list(HealthCheck),
)
ReconcilerMachine.TestCase.settings = MarklessMachine.TestCase.settings = WALKS
test_no_walk_undoes_a_person = ReconcilerMachine.TestCase
test_no_walk_undoes_a_person_where_there_is_no_mark = MarklessMachine.TestCase


def does_nothing(*_: Any, **__: Any) -> list[Any]:
    return []


def only_blocks(engine: Engine, **given: Any) -> list[Any]:
    wants = [row["want"] for row in rows(engine, desired_limit)]
    return list(reconcile(engine, **given)) if wants == ["block"] else []


class ActsEveryThirdTime:
    """A reconciler that needs three passes for one."""

    def __init__(self) -> None:
        self.called = 0

    def __call__(self, engine: Engine, **given: Any) -> list[Any]:
        self.called += 1
        return [] if self.called % 3 else list(reconcile(engine, **given))


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (lambda: does_nothing, "open, and ought to be blocked"),
        (lambda: only_blocks, "blocked by us, and ought to be open"),
        (ActsEveryThirdTime, "ought to be"),
    ],
)
@pytest.mark.parametrize("machine", [ReconcilerMachine, MarklessMachine])
def test_a_reconciler_that_does_not_converge_is_found(
    machine: type[ReconcilerMachine], broken: Callable[[], Any], why: str
) -> None:
    class Broken(machine):  # type: ignore[valid-type, misc]
        def __init__(self) -> None:
            super().__init__()
            self.reconcile = broken()

    found = settings(WALKS, phases=[Phase.generate], print_blob=False)
    with pytest.raises(AssertionError, match=why):
        run_state_machine_as_test(Broken, settings=found)
