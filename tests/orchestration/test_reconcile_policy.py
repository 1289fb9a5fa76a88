"""What is planned for a key, and that no walk of breaches, people and crashes undoes a person."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from budget_readings import AS_OF, budget, reading
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from ops_stores import rows, store_url

from orchestration.enforcement.gateway import GatewayUnavailable, KeyState, fingerprint
from orchestration.enforcement.policy import Applied, Desired, Observed, needs_reading, plan
from orchestration.enforcement.reconcile import Rules, reconcile
from orchestration.governance.evaluate import evaluate
from orchestration.ops.people import arm
from orchestration.ops.store import open_store
from orchestration.ops.tables import desired_limit, override

SETTLE = timedelta(seconds=120)
BLOCK = Desired("block", 3, None)
OPEN = Desired("open", 4, None)
OURS = fingerprint(blocked=True, generation=3)
BLOCKED_BY_US = Applied("block", 3, "verified", OURS, AS_OF)
INTENT = replace(BLOCKED_BY_US, phase="intent")
IS_OPEN = Observed("found", blocked=False, generation=None)
IS_OURS = Observed("found", blocked=True, generation=3)
IS_FOREIGN = Observed("found", blocked=True, generation=None)
PERSON_OPENED = Observed("found", blocked=False, generation=3)
GONE = Observed("gone", blocked=False, generation=None)
UNREAD = Observed("unread", blocked=False, generation=None)


def step_of(desired: Desired, applied: Applied | None, observed: Observed, **given: Any) -> str:
    usual = {"override_stands": False, "settle": SETTLE, "now": AS_OF}
    return plan(desired, applied=applied, observed=observed, **usual | given).step


@pytest.mark.parametrize(
    ("desired", "applied", "observed", "step"),
    [
        (BLOCK, replace(INTENT, phase="applied"), IS_OPEN, "wait"),
        (BLOCK, replace(INTENT, phase="applied"), IS_OURS, "adopt"),
        (BLOCK, INTENT, IS_OPEN, "block"),
        (OPEN, replace(INTENT, phase="applied"), IS_OPEN, "unblock"),
        (OPEN, INTENT, IS_OPEN, "unblock"),
        (OPEN, BLOCKED_BY_US, IS_OURS, "unblock"),
        (OPEN, Applied("unblock", 4, "applied", OURS, AS_OF), IS_OURS, "wait"),
        (OPEN, Applied("unblock", 4, "applied", OURS, AS_OF), IS_OPEN, "settle"),
        (OPEN, Applied("unblock", 4, "intent", OURS, AS_OF), IS_OURS, "unblock"),
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
        (OPEN, BLOCKED_BY_US, IS_OURS, "unblock"),
        (OPEN, BLOCKED_BY_US, IS_FOREIGN, "foreign"),
        (OPEN, BLOCKED_BY_US, PERSON_OPENED, "settle"),
        (OPEN, INTENT, IS_OURS, "unblock"),
        (OPEN, INTENT, IS_OPEN, "settle"),
        (OPEN, replace(INTENT, phase="noop"), IS_FOREIGN, "none"),
        (OPEN, replace(INTENT, phase="override"), IS_OURS, "none"),
        (OPEN, Applied("unblock", 4, "intent", OURS, AS_OF), IS_OURS, "unblock"),
        (OPEN, Applied("unblock", 4, "intent", OURS, AS_OF), IS_OPEN, "settle"),
        (OPEN, Applied("unblock", 4, "intent", OURS, AS_OF), IS_FOREIGN, "foreign"),
        (OPEN, Applied("unblock", 4, "verified", None, AS_OF), IS_FOREIGN, "none"),
    ],
)
def test_the_step_that_follows(
    desired: Desired, applied: Applied | None, observed: Observed, step: str
) -> None:
    found = plan(
        desired, applied=applied, observed=observed, override_stands=False, settle=SETTLE, now=AS_OF
    )
    assert found.step == step


def test_an_override_stops_a_block_and_lifts_ours_but_no_other() -> None:
    def step(applied: Applied | None, observed: Observed) -> str:
        return plan(
            BLOCK,
            applied=applied,
            observed=observed,
            override_stands=True,
            settle=SETTLE,
            now=AS_OF,
        ).step

    assert step(None, IS_OPEN) == "none"
    assert step(BLOCKED_BY_US, IS_OURS) == "unblock"
    assert step(None, IS_FOREIGN) == "foreign"


def test_held_data_stop_a_new_block_and_keep_an_old_one() -> None:
    held = Desired("block", 3, "stale")

    def step(applied: Applied | None, observed: Observed) -> str:
        return plan(
            held,
            applied=applied,
            observed=observed,
            override_stands=False,
            settle=SETTLE,
            now=AS_OF,
        ).step

    assert step(None, IS_OPEN) == "hold"
    assert step(BLOCKED_BY_US, IS_OURS) == "none"


def test_nothing_is_read_where_nothing_can_follow() -> None:
    released = Applied("unblock", 4, "verified", None, AS_OF)
    assert not needs_reading(OPEN, None) and not needs_reading(OPEN, released)
    assert needs_reading(BLOCK, None) and needs_reading(OPEN, BLOCKED_BY_US)


class Gateway:
    """One key, and who set it last; `failing` loses the answer after the effect or before it."""

    settle = SETTLE

    def __init__(self) -> None:
        self.blocked = False
        self.generation: int | None = None
        self.set_by = "nobody"
        self.failing: str | None = None
        self.writes = 0

    def read(self, key_ref: str) -> KeyState:
        return KeyState(self.blocked, self.generation, settings={})

    def block(self, key_ref: str, *, generation: int, current: KeyState) -> None:
        self._write(True, generation)

    def restore(self, key_ref: str, *, previous: Mapping[str, Any], current: KeyState) -> None:
        assert self.set_by == "us", "undid what somebody else set"
        self._write(bool(previous.get("blocked", False)), None)

    def _write(self, blocked: bool, generation: int | None) -> None:
        self.writes += 1
        failing, self.failing = self.failing, None
        if failing != "before":
            self.blocked, self.generation, self.set_by = blocked, generation, "us"
        if failing:
            raise GatewayUnavailable("scripted")


class ReconcilerMachine(RuleBasedStateMachine):
    """One budget, one key, a person who changes it at will."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.engine = open_store(store_url(self.folder))
        arm(self.engine, "litellm-main", by="ada", now=AS_OF)
        self.gateway = Gateway()
        self.snapshot = 0
        self.now = AS_OF
        self.opened_at = AS_OF - timedelta(days=9)

    def teardown(self) -> None:
        self.engine.dispose()
        shutil.rmtree(self.folder)

    @rule(used=st.sampled_from(["0", "1000"]))
    def spend(self, used: str) -> None:
        self.snapshot += 1
        evaluate(self.engine, reading=reading(self.snapshot, budget(used)))

    @rule(blocked=st.booleans())
    def person(self, blocked: bool) -> None:
        if self.gateway.blocked == blocked:
            return
        self.gateway.blocked = blocked
        # A block by hand on top of our mark cannot be told from ours unless we saw it open.
        self.gateway.set_by = "person"
        self.gateway.generation = None if blocked else self.gateway.generation
        wants = [row["want"] for row in rows(self.engine, desired_limit)]
        if not blocked and wants == ["block"]:
            self.run()
            if rows(self.engine, override):  # seen: the key was known to be blocked
                self.opened_at = self.now

    @rule(hours=st.integers(0, 6))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(failing=st.sampled_from(["before", "after"]))
    def fault(self, failing: str) -> None:
        self.gateway.failing = failing

    @rule()
    def run(self) -> None:
        before = (self.gateway.writes, self.gateway.blocked)
        reconcile(
            self.engine,
            gateways={"litellm-main": self.gateway},
            now=lambda: self.now,
            by="test",
            rules=Rules(),
        )
        assert self.gateway.writes <= before[0] + 1
        if self.now < self.opened_at + timedelta(hours=4):
            assert not (self.gateway.blocked and not before[1]), "blocked again too early"

    @rule()
    def converge(self) -> None:
        for _ in range(2):
            self.run()
        writes = self.gateway.writes
        self.run()
        assert self.gateway.failing or self.gateway.writes == writes


ReconcilerMachine.TestCase.settings = settings(
    derandomize=True,
    deadline=None,
    max_examples=40,
    stateful_step_count=15,
    suppress_health_check=list(HealthCheck),
)
test_no_walk_undoes_a_person = ReconcilerMachine.TestCase
