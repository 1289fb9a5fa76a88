"""Any walk of spend, limits, periods and repeats keeps the promises of the alert states."""

import shutil
import tempfile
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from budget_readings import DECEMBER, NOVEMBER, budget, reading
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ops_stores import endpoint, rows, store_url

from orchestration.governance.alerts import Thresholds, level_of
from orchestration.governance.budgets import BudgetReading
from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.evaluate import evaluate
from orchestration.ops.store import open_store
from orchestration.ops.tables import alert_state, desired_limit, outbox, transition

MONTH = timedelta(days=30)


class AlertMachine(RuleBasedStateMachine):
    """One budget over periods of 30 days, on a real store."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.engine = open_store(store_url(self.folder))
        sync_endpoints(self.engine, [endpoint("one"), endpoint("two")])
        self.snapshot = 0
        self.period = 0
        self.limit = Decimal(1000)
        self.used: dict[int, Decimal | None] = {0: Decimal(0)}

    def teardown(self) -> None:
        self.engine.dispose()
        shutil.rmtree(self.folder)

    def rows_now(self) -> list[BudgetReading]:
        return [
            budget(
                None if used is None else str(used),
                budget_version=f"v{self.limit}",
                period_start_at=NOVEMBER + MONTH * period,
                period_end_at=NOVEMBER + MONTH * (period + 1),
                is_current=period == self.period,
                amount=self.limit,
                info_threshold=None,
                warning_threshold=self.limit * Decimal("0.8"),
                critical_threshold=self.limit,
            )
            for period, used in self.used.items()
        ]

    def evaluate(self) -> None:
        self.snapshot += 1
        as_of = NOVEMBER + MONTH * self.period + timedelta(days=3)
        evaluate(self.engine, reading=reading(self.snapshot, *self.rows_now(), as_of=as_of))

    @rule(used=st.one_of(st.none(), st.sampled_from(["0", "799.99", "800", "1000", "2500", "NaN"])))
    def spend(self, used: str | None) -> None:
        self.used[self.period] = None if used is None else Decimal(used)
        self.evaluate()

    @rule(limit=st.sampled_from(["500", "1000", "3000"]))
    def edit(self, limit: str) -> None:
        self.limit = Decimal(limit)
        self.evaluate()

    @rule(used=st.sampled_from(["0", "900", "5000"]))
    def roll(self, used: str) -> None:
        self.period += 1
        self.used[self.period] = Decimal(used)
        self.evaluate()

    @precondition(lambda self: self.period > 0)
    @rule(used=st.sampled_from(["0", "900", "5000"]))
    def late(self, used: str) -> None:
        self.used[self.period - 1] = Decimal(used)
        self.evaluate()

    @rule(back=st.integers(0, 3))
    def stale(self, back: int) -> None:
        before = [rows(self.engine, table) for table in (transition, outbox, desired_limit)]
        snapshot = max(0, self.snapshot - back)
        if self.snapshot:
            row = budget("99999")
            assert evaluate(self.engine, reading=reading(snapshot, row, as_of=DECEMBER)).is_ignored
        after = [rows(self.engine, table) for table in (transition, outbox, desired_limit)]
        assert after == before

    @rule()
    def again(self) -> None:
        self.evaluate()
        before = [rows(self.engine, table) for table in (transition, outbox)]
        self.evaluate()
        assert [rows(self.engine, table) for table in (transition, outbox)] == before

    @rule()
    def restart(self) -> None:
        self.engine.dispose()
        self.engine = open_store(store_url(self.folder))

    @invariant()
    def sequences_are_contiguous_and_linked(self) -> None:
        by_period: dict[object, list[dict]] = {}
        for row in sorted(rows(self.engine, transition), key=lambda row: row["seq"]):
            by_period.setdefault(row["period_start"], []).append(row)
        for found in by_period.values():
            assert [row["seq"] for row in found] == list(range(1, len(found) + 1))
            assert all(row["from_level"] != row["to_level"] for row in found)
            assert found[0]["from_level"] == "ok"
            assert all(one["to_level"] == two["from_level"] for one, two in pairwise(found))

    @invariant()
    def every_transition_has_its_messages(self) -> None:
        told = [row for row in rows(self.engine, transition) if not row["baseline"]]
        baselines = {row["snapshot_id"] for row in rows(self.engine, transition) if row["baseline"]}
        kinds = [row["subject_kind"] for row in rows(self.engine, outbox)]
        assert kinds.count("transition") == 2 * len(told)
        assert kinds.count("digest") == 2 * len(baselines)

    @invariant()
    def the_level_is_what_the_value_says_and_the_want_follows(self) -> None:
        used = self.used[self.period]
        if self.snapshot == 0 or used is None or not used.is_finite():
            return
        level = level_of(used, Thresholds(None, self.limit * Decimal("0.8"), self.limit))
        start = NOVEMBER + MONTH * self.period
        (state,) = [r for r in rows(self.engine, alert_state) if r["period_start"] == start]
        assert state["level"] == state["announced"] == level
        wants = [row["want"] for row in rows(self.engine, desired_limit)]
        assert wants in ([["block"]] if level == "critical" else [[], ["open"]])


AlertMachine.TestCase.settings = settings(
    derandomize=True,
    deadline=None,
    max_examples=25,
    stateful_step_count=12,
    suppress_health_check=list(HealthCheck),
)
test_any_walk_keeps_the_promises = AlertMachine.TestCase
