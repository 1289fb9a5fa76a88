"""Any walk of use, limits, pauses, periods, repeats and kills keeps the promises of the alerts."""

import functools
import os
import shutil
import signal
import tempfile
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from budget_readings import NOVEMBER, budget, reading
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ops_stores import endpoint, rows, store_url

from orchestration.governance.budgets import BudgetReading, Reading
from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.evaluate import evaluate
from orchestration.ops.store import open_store
from orchestration.ops.tables import alert_state, desired_limit, outbox, transition

MONTH = timedelta(days=30)
LEVELS = ("ok", "warning", "critical")
WARNING, BACK = Decimal("0.8"), Decimal("0.95")  # a level is left 5 % below its threshold
# Falls of a little and of much around 800 and 1,000, no amount, and what is none.
USES = st.one_of(
    st.none(),
    st.sampled_from(
        ["0", "760", "760.01", "799.99", "800", "950", "950.01", "1000", "2500", "NaN"]
    ),
)


@functools.cache
def fresh_store() -> Path:
    """A folder with an empty store that two endpoints hear of: made once, copied for each walk."""
    folder = Path(tempfile.mkdtemp())
    engine = open_store(store_url(folder))
    sync_endpoints(engine, [endpoint("one"), endpoint("two")])
    engine.dispose()
    return folder


def level_at(used: Decimal, limit: Decimal) -> int:
    return (used >= limit * WARNING) + (used >= limit)


class AlertMachine(RuleBasedStateMachine):
    """One budget over periods of 30 days, on a real store; `level` is what it ought to stand at."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copytree(fresh_store(), self.folder, dirs_exist_ok=True)
        self.engine = open_store(store_url(self.folder))
        self.snapshot = 0
        self.period = 0
        self.level = 0
        self.is_judged = False
        self.is_paused = False
        self.limit = Decimal(1000)
        self.used: dict[int, Decimal | None] = {0: Decimal(0)}

    def teardown(self) -> None:
        self.engine.dispose()
        shutil.rmtree(self.folder)

    def rows_now(self) -> list[BudgetReading]:
        return [
            budget(
                None if used is None else str(used),
                budget_version=f"v{self.limit}{self.is_paused}",
                is_paused=self.is_paused,
                period_start_at=NOVEMBER + MONTH * period,
                period_end_at=NOVEMBER + MONTH * (period + 1),
                is_current=period == self.period,
                amount=self.limit,
                info_threshold=None,
                warning_threshold=self.limit * WARNING,
                critical_threshold=self.limit,
                hysteresis_ratio=1 - BACK,
            )
            for period, used in self.used.items()
        ]

    def next_reading(self) -> Reading:
        self.snapshot += 1
        as_of = NOVEMBER + MONTH * self.period + timedelta(days=3)
        return reading(self.snapshot, *self.rows_now(), as_of=as_of)

    def evaluate(self, *, is_late: bool = False) -> None:
        before = {row["id"] for row in rows(self.engine, transition)}
        evaluate(self.engine, reading=self.next_reading())
        self.follow()
        new = [row for row in rows(self.engine, transition) if row["id"] not in before]
        # Late is what late use brings, and nothing else; a pause hears only the period's end.
        assert is_late or not any(row["late"] for row in new)
        assert not self.is_paused or {row["cause"] for row in new} <= {"period_roll"}

    def follow(self) -> None:
        """The level by the words of the specification, from the one before."""
        used = self.used[self.period]
        if used is None or not used.is_finite() or self.is_paused:
            return
        self.is_judged = True
        level = level_at(used, self.limit)
        if level < self.level:
            level = min(self.level, level_at(used, self.limit * BACK))
        self.level = level

    @rule(used=USES)
    def spend(self, used: str | None) -> None:
        self.used[self.period] = None if used is None else Decimal(used)
        self.evaluate()

    @rule(limit=st.sampled_from(["500", "1000", "3000"]))
    def edit(self, limit: str) -> None:
        self.limit = Decimal(limit)
        self.evaluate()

    @rule()
    def pause_or_go_on(self) -> None:
        self.is_paused = not self.is_paused
        self.evaluate()

    @rule(used=st.sampled_from(["0", "900", "5000"]))
    def roll(self, used: str) -> None:
        self.period += 1
        self.used[self.period] = Decimal(used)
        self.level, self.is_judged = 0, False
        self.evaluate()
        start = NOVEMBER + MONTH * (self.period - 1)
        over = [row for row in rows(self.engine, alert_state) if row["period_start"] == start]
        assert [row["announced"] for row in over] in ([], ["ok"])

    @precondition(lambda self: self.period > 0)
    @rule(used=st.sampled_from(["0", "900", "5000"]))
    def late(self, used: str) -> None:
        self.used[self.period - 1] = Decimal(used)
        self.evaluate(is_late=True)

    @rule(back=st.integers(0, 3))
    def stale(self, back: int) -> None:
        before = [rows(self.engine, table) for table in (transition, outbox, desired_limit)]
        snapshot = max(0, self.snapshot - back)
        if self.snapshot:
            row = budget("99999")
            assert evaluate(self.engine, reading=reading(snapshot, row, as_of=NOVEMBER)).is_ignored
        after = [rows(self.engine, table) for table in (transition, outbox, desired_limit)]
        assert after == before

    @rule()
    def again(self) -> None:
        self.evaluate()
        before = [rows(self.engine, table) for table in (transition, outbox)]
        self.evaluate()
        assert [rows(self.engine, table) for table in (transition, outbox)] == before

    @rule(
        point=st.sampled_from(["begun", "states_saved", "before_commit", "after_commit"]),
        used=st.sampled_from(["0", "850", "1000"]),
    )
    def kill(self, point: str, used: str) -> None:
        """A process that evaluates is killed; the next one evaluates the same snapshot."""
        self.used[self.period] = Decimal(used)
        now = self.next_reading()
        self.engine.dispose()
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                os.environ["METERHOUSE_CRASH_AT"] = f"evaluate.{point}:1"
                evaluate(open_store(store_url(self.folder)), reading=now)
            os._exit(1)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
        self.engine = open_store(store_url(self.folder))
        assert evaluate(self.engine, reading=now).is_ignored == (point == "after_commit")
        self.follow()

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
    def the_level_is_what_use_limit_and_past_say_and_the_want_follows(self) -> None:
        if not self.is_judged:
            return
        start = NOVEMBER + MONTH * self.period
        (state,) = [r for r in rows(self.engine, alert_state) if r["period_start"] == start]
        assert state["level"] == state["announced"] == LEVELS[self.level]
        used = self.used[self.period]
        if used is None or not used.is_finite():
            return  # the level stands; an edit meanwhile lifts its block until there is an amount
        wants = [row["want"] for row in rows(self.engine, desired_limit)]
        is_blocked = LEVELS[self.level] == "critical" and not self.is_paused
        assert wants in ([["block"]] if is_blocked else [[], ["open"]])


AlertMachine.TestCase.settings = settings(
    derandomize=True,
    deadline=None,
    max_examples=200,
    stateful_step_count=12,
    suppress_health_check=list(HealthCheck),
)
test_any_walk_keeps_the_promises = AlertMachine.TestCase
