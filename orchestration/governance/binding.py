"""The budget that binds: of those that count whatever another counts, the one with least left."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from orchestration.governance.bodies import money, unit_of
from orchestration.governance.budgets import BudgetReading, Reading
from orchestration.ops.evaluator import StoredState


def binding_budget(
    own: BudgetReading, budgets: Iterable[BudgetReading]
) -> tuple[Decimal, BudgetReading] | None:
    """What is left of the budget that stops this one's use first, and that budget.

    Only those under way that enforce something, in the same measure, are compared.
    """
    found = [
        (row.amount - row.used, row)
        for row in budgets
        if row.is_current
        and row.amount is not None
        and row.used is not None
        and row.used.is_finite()
        and row.mode != "observe"
        and not row.is_paused
        and _covers(row, own)
    ]
    return min(found, key=lambda each: each[0], default=None)


def told_binding(reading: Reading, state: StoredState) -> dict[str, Any] | None:
    """What messages about a budget say of the one that binds it; None for one that is gone."""
    if "budget" not in state.context:
        return None
    name = state.context["budget"]["id"]
    own = next((row for row in reading.budgets if row.budget_id == name), None)
    found = binding_budget(own, reading.budgets) if own else None
    if found is None:
        return None
    headroom, row = found
    return {
        "id": row.budget_id,
        "entity": row.entity_key,
        "headroom": money(headroom),
        **unit_of(row.unit),
    }


def _covers(row: BudgetReading, own: BudgetReading) -> bool:
    """True if all that counts for `own` counts for this budget too."""
    if (row.measure, row.unit) != (own.measure, own.unit):
        return False
    if row.entity_key not in own.lineage():
        return False
    is_same_node = row.entity_key == own.entity_key and own.scope == "individual"
    if row.scope != "consolidated" and not is_same_node:
        return False
    return all(
        theirs is None or (ours is not None and _values(ours) <= _values(theirs))
        for theirs, ours in zip(row.filters(), own.filters(), strict=True)
    )


def _values(text: str) -> frozenset[str]:
    return frozenset(text.strip("|").split("|"))
