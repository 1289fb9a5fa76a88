"""Where each budget stands after an evaluation, as far as limits are concerned."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from orchestration.governance import alerts
from orchestration.governance.budgets import BudgetReading, Reading
from orchestration.governance.limits import Standing, act_level, limit_reading
from orchestration.governance.subjects import budget_alert_id, thresholds_in
from orchestration.ops import evaluator
from orchestration.ops.evaluator import StoredState

_NO_THRESHOLDS = {"info": None, "warning": None, "critical": None}


@dataclass(frozen=True)
class Moved:
    """One alert in one period after the evaluation, with what changed."""

    before: StoredState | None
    after: StoredState
    moves: tuple[alerts.Move, ...]

    @property
    def place(self) -> tuple[str, datetime]:
        """Alert and period: one state each."""
        return self.after.alert_id, self.after.period_start


def with_edits(
    moved: Sequence[Moved],
    reading: Reading,
    *,
    known: Collection[str],
    versions: Mapping[str, Collection[str]],
) -> list[Moved]:
    """The same, each budget with the thresholds before the edit that brought it to its limits.

    `known` are the alerts that were evaluated before, `versions` those they were last seen under.
    """
    limiting = (*reading.budgets, *reading.acting)
    rows = {(budget_alert_id(row), row.period_start_at): row for row in limiting}
    found: list[Moved] = []
    for each in moved:
        row, after = rows.get(each.place), each.after
        if row is not None:
            alert_id = after.alert_id
            old = (each.before.version,) if each.before else versions.get(alert_id, ())
            is_edit = alert_id not in known or after.version not in old
            edited_from = _edited_from(each, row, reading, is_edit=is_edit)
            each = replace(each, after=replace(after, edited_from=edited_from))
        found.append(each)
    return found


def _edited_from(
    each: Moved, row: BudgetReading, reading: Reading, *, is_edit: bool
) -> Mapping[str, str | None] | None:
    """Kept until the level falls below the one from which the budget is limited."""
    kept = each.before.edited_from if each.before else None
    before = each.before.context["thresholds"] if each.before else _NO_THRESHOLDS
    value, act = each.after.value, alerts.severity(act_level(row))
    if value is None or row.is_paused:  # not judged yet
        return before if is_edit and kept is None else kept
    reach = value + limit_reading(row, reading).headroom
    level = max(
        alerts.severity(each.after.state.level), _severity(reach, each.after.context["thresholds"])
    )
    if level < act:
        return None
    if kept is not None or not is_edit:
        return kept
    if _severity(reach, before) < act:
        return before
    # Not the thresholds were edited but what counts: how much would count without is not known.
    is_new = each.before is None or alerts.severity(each.before.state.level) < act
    return _NO_THRESHOLDS if is_new else None


def standings_of(moved: Sequence[Moved], reading: Reading) -> list[Standing]:
    """Every budget of the snapshot in its current period."""
    after = {each.place: each.after for each in moved}
    standings: list[Standing] = []
    for row in (*reading.budgets, *reading.acting):
        stored = after[budget_alert_id(row), row.period_start_at]
        if not row.is_current or row.is_paused or stored.state.rolled:
            continue  # late usage never acts at a gateway
        seq = stored.state.seq
        standings.append(
            Standing(
                row=row,
                level=stored.state.level,
                has_amount=not alerts.is_data_error(row.used),
                transition_id=evaluator.transition_id(stored.alert_id, stored.period_start, seq)
                if seq
                else None,
                is_edited=_is_edited(stored, row, reading),
            )
        )
    return standings


def _is_edited(stored: StoredState, row: BudgetReading, reading: Reading) -> bool:
    """True if this use would not be limited as the budget was before its edit."""
    if stored.edited_from is None or stored.value is None:
        return stored.edited_from is not None
    reach = stored.value + limit_reading(row, reading).headroom
    return _severity(reach, stored.edited_from) < alerts.severity(act_level(row))


def _severity(value: Decimal, thresholds: Mapping[str, str | None]) -> int:
    return alerts.severity(alerts.level_of(value, thresholds_in({"thresholds": thresholds})))


def key_counts(reading: Reading) -> dict[str, int]:
    """How many keys are known of each gateway."""
    known = {(key.source_instance, key.raw_key_hash) for key in reading.keys}
    return Counter(gateway for gateway, _ in known)
