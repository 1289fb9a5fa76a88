"""Which keys ought to be blocked, from where the budgets stand: pure.

Level-triggered: asked anew at each snapshot, so that a recovery, a new period, a raised or a
deleted budget needs no rule of its own. A want changes its generation only when it changes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from orchestration.governance.alerts import Level
from orchestration.governance.bodies import iso, money
from orchestration.governance.budgets import BudgetReading, KeyOfBudget, Reading
from orchestration.ops.evaluator import StoredWant


@dataclass(frozen=True)
class Standing:
    """One budget in its current period after the evaluation."""

    row: BudgetReading
    level: Level
    has_amount: bool  # False: a data error, the level is the last one known
    transition_id: str | None  # the transition that brought it here


@dataclass(frozen=True)
class Held:
    """A block that is not asked for because the data behind it are not trusted."""

    standing: Standing
    reason: str
    key_aliases: tuple[str, ...]


def wanted_limits(
    reading: Reading,
    *,
    standings: Sequence[Standing],
    before: Mapping[tuple[str, str], StoredWant],
) -> tuple[list[StoredWant], list[Held]]:
    """The wants that follow (changed or refreshed) and the blocks that are held back."""
    current = {each.row.budget_id: each for each in standings}
    keys: dict[str, list[KeyOfBudget]] = {}
    for key in reading.keys:
        keys.setdefault(key.budget_id, []).append(key)
    asked: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    held: list[Held] = []
    for place, want in before.items():
        listed = {
            budget_id
            for budget_id, members in keys.items()
            if any((each.source_instance, each.raw_key_hash) == place for each in members)
        }
        kept = [_kept(reason, reading, current, listed) for reason in want.reasons]
        if want.want == "block" and any(kept):
            asked[place] = [reason for reason in kept if reason is not None]
    for standing in standings:
        row = standing.row
        if not _acts(standing):
            continue
        hold = _hold(standing, reading)
        fresh: list[str] = []
        for key in keys.get(row.budget_id, []):
            reasons = asked.setdefault((key.source_instance, key.raw_key_hash), [])
            if hold is None:
                reasons.append(_reason(standing, key))
            elif all(reason["budget_id"] != row.budget_id for reason in reasons):
                fresh.append(key.raw_key_alias or "a key without an alias")
        if hold is not None and fresh:
            held.append(Held(standing, hold, tuple(fresh)))
    wants = [
        want
        for place in sorted(before.keys() | {place for place, why in asked.items() if why})
        if (want := _want(place, asked.get(place, []), before.get(place))) is not None
    ]
    return wants, held


def _kept(
    reason: Mapping[str, Any],
    reading: Reading,
    current: Mapping[str, Standing],
    listed: Collection[str],
) -> Mapping[str, Any] | None:
    """A reason that stays although the snapshot does not give it anew.

    Held data neither block nor release. A key that is blocked has no use, and so drops out of the
    budget's recent keys: while the budget stays critical that is no reason to open it. What a
    person did (another version of the budget) and what the clock did (another period) do release.
    """
    standing = current.get(reason["budget_id"])
    if standing is None:
        expired = datetime.fromisoformat(reason["period_end_at"]) <= reading.as_of
        return None if reading.checks_ok or expired else reason
    hold = _hold(standing, reading)
    row = standing.row
    same = reason["budget_version"] == row.budget_version
    same = same and reason["period_start_at"] == iso(row.period_start_at)
    if not same:
        return None
    if hold is not None:
        return {**reason, "held_reason": hold}
    if row.budget_id in listed or not _acts(standing):
        return None
    use = {"used": money(row.used), "amount": money(row.amount)}
    return {**reason, **use, "held_reason": None}


def _acts(standing: Standing) -> bool:
    row = standing.row
    return row.mode == "hard" and row.action == "block" and standing.level == "critical"


def _hold(standing: Standing, reading: Reading) -> str | None:
    if not reading.checks_ok:
        return reading.held_reason or "a blocking check failed"
    if not standing.has_amount:
        return "the amount used is not known"
    return standing.row.held_reason


def _want(
    place: tuple[str, str], reasons: Sequence[Mapping[str, Any]], before: StoredWant | None
) -> StoredWant | None:
    gateway, key_ref = place
    want = "block" if reasons else "open"
    if before is None:
        return StoredWant(gateway, key_ref, 1, want, tuple(reasons), None)
    holds = [reason["held_reason"] for reason in reasons]
    held = holds[0] if holds and all(holds) else None
    if before.want == want:
        if want == "open":
            return None
        return replace(before, reasons=tuple(reasons), held_reason=held)
    return StoredWant(
        gateway,
        key_ref,
        before.generation + 1,
        want,
        # An open want keeps the reasons of the block it ends, for the message that says so.
        tuple(reasons) or before.reasons,
        held,
    )


def _reason(standing: Standing, key: KeyOfBudget) -> dict[str, Any]:
    row = standing.row
    return {
        "budget_id": row.budget_id,
        "budget_version": row.budget_version,
        "entity_key": row.entity_key,
        "entity_name": row.entity_name,
        "lineage": list(row.lineage()),
        "transition_id": standing.transition_id,
        "period_start_at": iso(row.period_start_at),
        "period_end_at": iso(row.period_end_at),
        "used": money(row.used),
        "amount": money(row.amount),
        "key_alias": key.raw_key_alias,
        "own_usage_ratio": None if key.own_usage_ratio is None else str(key.own_usage_ratio),
        "held_reason": None,
    }
