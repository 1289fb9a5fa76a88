"""Where each budget stands after an evaluation, as far as limits are concerned."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestration.governance import alerts
from orchestration.governance.budgets import Reading
from orchestration.governance.limits import Standing
from orchestration.governance.subjects import budget_alert_id, thresholds_in
from orchestration.ops import evaluator
from orchestration.ops.evaluator import StoredState


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


def standings_of(
    moved: Sequence[Moved], reading: Reading, *, known: Collection[str]
) -> list[Standing]:
    """Every budget of the snapshot in its current period; `known` were evaluated before it."""
    after = {(each.after.alert_id, each.after.period_start): each.after for each in moved}
    before = {(each.after.alert_id, each.after.period_start): each.before for each in moved}
    standings: list[Standing] = []
    for row in reading.budgets:
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
                is_edited=stored.alert_id not in known
                or _is_edited(before[stored.alert_id, row.period_start_at], stored),
            )
        )
    return standings


def _is_edited(before: StoredState | None, after: StoredState) -> bool:
    """True if another declaration made the level more severe than the same use was before it."""
    if before is None or before.version == after.version or after.value is None:
        return False
    level = alerts.level_of(after.value, thresholds_in(before.context))
    return alerts.severity(level) < alerts.severity(after.state.level)


def key_counts(reading: Reading) -> dict[str, int]:
    """How many keys are known of each gateway."""
    known = {(key.source_instance, key.raw_key_hash) for key in reading.keys}
    return Counter(gateway for gateway, _ in known)
