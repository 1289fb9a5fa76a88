"""A store, a gateway and its client: what budgets ask for, and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from budget_readings import AS_OF, budget, key, reading
from ops_stores import rows
from sqlalchemy import Engine

from orchestration.enforcement.gateway import Gateway
from orchestration.enforcement.reconcile import Action, reconcile
from orchestration.enforcement.rules import Rules
from orchestration.governance.budgets import BudgetReading, KeyOfBudget, LimitReading
from orchestration.governance.evaluate import Evaluation, evaluate
from orchestration.ops import people
from orchestration.ops.store import reading as reading_store
from orchestration.ops.tables import desired_limit, outbox


@dataclass
class LimitedPlace:
    """One store and the gateways of it; snapshots count up."""

    engine: Engine
    gateways: Mapping[str, Gateway]
    keys: tuple[KeyOfBudget, ...] = field(default_factory=lambda: (key(),))
    limits: tuple[LimitReading, ...] = ()
    exempt: tuple[str, ...] = ()
    rules: Rules = field(default_factory=Rules)
    snapshot: int = 0

    def used(self, use: str, **changes: object) -> Evaluation:
        """The next snapshot: the budget with this much used."""
        return self.stand(budget(use, **changes))

    def stand(self, *standing: BudgetReading) -> Evaluation:
        """The next snapshot: these budgets."""
        self.snapshot += 1
        read = reading(self.snapshot, *standing, keys=self.keys, limits=self.limits)
        return evaluate(self.engine, reading=read, exempt=self.exempt)

    def run(self, after: timedelta = timedelta(0)) -> list[Action]:
        """One reconciliation, that long after the snapshots."""
        return reconcile(
            self.engine,
            gateways=self.gateways,
            now=lambda: AS_OF + after,
            by="test",
            rules=self.rules,
        )

    def results(self, after: timedelta = timedelta(0)) -> list[tuple[str, str]]:
        """Step and result of each action of a reconciliation."""
        return [(action.step, action.result) for action in self.run(after)]

    def wants(self) -> list[dict[str, Any]]:
        """What ought to stand for each key."""
        return rows(self.engine, desired_limit)

    def waiting(self, approval_id: str) -> dict[str, Any]:
        """The limits that wait for this yes."""
        with reading_store(self.engine) as connection:
            return people.waiting_limits(connection, approval_id)

    def messages(self) -> list[str]:
        """Types of the messages about limits, oldest first."""
        found = sorted(rows(self.engine, outbox), key=lambda row: row["ordinal"])
        return [row["event_type"] for row in found if row["event_type"].startswith("limit.")]
