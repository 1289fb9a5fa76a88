"""Which keys ought to be limited and how, from where the budgets stand: pure.

Level-triggered: asked anew at each snapshot, so that a recovery, a new period, a raised or a
deleted budget needs no rule of its own. A want changes its generation only when it is another:
another kind, another rate, the cap of another budget, version or period, or for other budgets and
periods alone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from orchestration.governance.alerts import Level
from orchestration.governance.bodies import iso, money
from orchestration.governance.budgets import (
    BURN_RATE,
    BudgetReading,
    KeyOfBudget,
    LimitReading,
    Reading,
)
from orchestration.ops.wants import StoredWant

# The first that is asked for is the one that is set.
STRENGTH = ("block", "zero_budget", "cap_to_remaining", "rate_limit")


@dataclass(frozen=True)
class Standing:
    """One budget in its current period after the evaluation."""

    row: BudgetReading
    level: Level
    has_amount: bool  # False: a data error, the level is the last one known
    transition_id: str | None  # the transition that brought it here
    is_edited: bool  # new, or changed, and this use would not have reached it before


@dataclass(frozen=True)
class Held:
    """A limit that is not asked for because the data behind it are not trusted."""

    standing: Standing
    reason: str
    key_aliases: tuple[str, ...]


def wanted_limits(
    reading: Reading,
    *,
    standings: Sequence[Standing],
    before: Mapping[tuple[str, str], StoredWant],
    limited: Collection[tuple[str, str]] = (),
    exempt: Collection[str] = (),
) -> tuple[list[StoredWant], list[Held]]:
    """The wants that follow (changed or refreshed) and the limits that are held back.

    `limited` are the keys at which a limit of ours stands, `exempt` key hashes and aliases that are
    never limited.
    """
    current = {each.row.budget_id: each for each in standings}
    keys: dict[str, list[KeyOfBudget]] = {}
    for key in reading.keys:
        if not {key.raw_key_hash, key.raw_key_alias} & set(exempt):
            keys.setdefault(key.budget_id, []).append(key)
    asked: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    held: list[Held] = []
    for place, want in before.items():
        listed = {
            budget_id
            for budget_id, members in keys.items()
            if any((each.source_instance, each.raw_key_hash) == place for each in members)
        }
        kept = [
            _kept(reason, reading, current, listed, is_limited=place in limited)
            for reason in want.reasons
        ]
        names = {place[1], *(reason.get("key_alias") for reason in want.reasons)}
        if want.want != "open" and any(kept) and not names & set(exempt):
            asked[place] = [reason for reason in kept if reason is not None]
    for standing in standings:
        row = standing.row
        if not _acts(standing, reading):
            continue
        hold = _hold(standing, reading)
        fresh: list[str] = []
        for key in keys.get(row.budget_id, []):
            place = (key.source_instance, key.raw_key_hash)
            reasons = asked.setdefault(place, [])
            if hold is None:
                reasons.append(_reason(standing, key, reading))
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
    *,
    is_limited: bool,
) -> Mapping[str, Any] | None:
    """A reason that stays although the snapshot does not give it anew.

    Held data neither limit nor release. A key that is blocked has no use, and so drops out of the
    budget's recent keys: while the budget stays critical that is no reason to open it. What a
    person did (another version of the budget) and what the clock did (another period) do release.
    """
    standing = current.get(reason["budget_id"])
    if standing is None:
        expired = datetime.fromisoformat(reason["period_end_at"]) <= reading.as_of
        return None if reading.checks_ok or expired else reason
    hold = _hold(standing, reading)
    row = standing.row
    if row.measure == BURN_RATE and is_limited:
        # Only a person releases it; whoever did has left no limit of ours in place.
        is_anew = hold is None and row.budget_id in listed and _acts(standing, reading)
        return None if is_anew else {**reason, "held_reason": hold}
    same = reason["budget_version"] == row.budget_version
    same = same and reason["period_start_at"] == iso(row.period_start_at)
    if not same:
        return None
    if hold is not None:
        return {**reason, "held_reason": hold}
    # What travelled when the limit was set is not known to have arrived: a key that is blocked
    # burns nothing, and would be opened at once.
    headroom = max(Decimal(reason["headroom"] or 0), limit_reading(standing.row, reading).headroom)
    if row.budget_id in listed or not _acts(standing, reading, headroom=headroom):
        return None
    return {**reason, **_amounts(standing, headroom), "held_reason": None}


def _acts(standing: Standing, reading: Reading, *, headroom: Decimal | None = None) -> bool:
    """True if the budget asks for a limit now: a cap at all times, all else from its act level."""
    row = standing.row
    if row.action is None or row.mode == "observe":
        return False
    if row.action == "cap_to_remaining":
        return row.amount is not None and row.used is not None
    threshold = _act_threshold(row)
    if standing.level == "critical" or (row.mode == "soft" and standing.level == "warning"):
        return True
    if threshold is None or row.used is None or not standing.has_amount or row.mode != "hard":
        return False
    travelling = limit_reading(standing.row, reading).headroom if headroom is None else headroom
    return travelling > 0 and row.used + travelling >= threshold


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
    want, stated = _strongest(reasons)
    if before is None:
        return StoredWant(gateway, key_ref, 1, want, stated, tuple(reasons), None, None)
    holds = [reason["held_reason"] for reason in reasons]
    held = holds[0] if holds and all(holds) else None
    # An open want keeps the reasons of the limit it ends, for the message that says so.
    why = tuple(reasons) or before.reasons
    after = replace(before, want=want, stated=stated, reasons=why, held_reason=held)
    if before.want == want and _basis(want, before.stated) == _basis(want, stated):
        if want == "open":
            return None
        if shares_breach(before, after):
            return after
    return replace(after, generation=before.generation + 1)


def shares_breach(before: StoredWant, after: StoredWant) -> bool:
    """True if a want is for a budget in a period that it was for before."""
    return bool(_breached(before) & _breached(after))


def _breached(want: StoredWant) -> set[tuple[str, str]]:
    return {(reason["budget_id"], reason["period_start_at"]) for reason in want.reasons}


def _strongest(reasons: Sequence[Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """The kind that is set, with what it needs: of several caps or rates the lowest."""
    if not reasons:
        return "open", {}
    kind = min((reason["action"] for reason in reasons), key=STRENGTH.index)
    same = [reason for reason in reasons if reason["action"] == kind]
    if kind == "cap_to_remaining":
        least = min(same, key=lambda reason: Decimal(reason["remaining"]))
        return kind, {
            "remaining_usd": least["remaining"],
            "amount_usd": least["amount"],
            "of": [least[name] for name in ("budget_id", "budget_version", "period_start_at")],
        }
    if kind == "rate_limit":
        return kind, {"requests_per_minute": min(each["requests_per_minute"] for each in same)}
    return kind, {}


def _basis(kind: str, stated: Mapping[str, Any]) -> Any:
    return stated.get("of") if kind == "cap_to_remaining" else stated


def _reason(standing: Standing, key: KeyOfBudget, reading: Reading) -> dict[str, Any]:
    row = standing.row
    limit = limit_reading(standing.row, reading)
    return {
        "budget_id": row.budget_id,
        "budget_version": row.budget_version,
        "entity_key": row.entity_key,
        "entity_name": row.entity_name,
        "lineage": list(row.lineage()),
        "transition_id": standing.transition_id,
        "period_start_at": iso(row.period_start_at),
        "period_end_at": iso(row.period_end_at),
        "action": row.action,
        "requests_per_minute": limit.requests_per_minute,
        **_amounts(standing, limit.headroom),
        "is_breach": _is_breach(standing, limit),
        "cause": _cause(standing, limit) if _is_breach(standing, limit) else "usage",
        "key_alias": key.raw_key_alias,
        "own_usage_ratio": None if key.own_usage_ratio is None else str(key.own_usage_ratio),
        "held_reason": None,
    }


def _amounts(standing: Standing, headroom: Decimal) -> dict[str, str | None]:
    row = standing.row
    remaining = None
    if row.amount is not None and row.used is not None and standing.has_amount:
        remaining = money(max(row.amount - row.used - headroom, Decimal(0)))
    return {
        "unit": row.unit,
        "used": money(row.used),
        "amount": money(row.amount),
        "remaining": remaining,
        "headroom": money(headroom),
    }


def _is_breach(standing: Standing, limit: LimitReading) -> bool:
    """True if its act level is reached; a cap stands before that too."""
    row = standing.row
    if row.action != "cap_to_remaining" or row.used is None or row.critical_threshold is None:
        return True
    return row.used + limit.headroom >= row.critical_threshold


def _cause(standing: Standing, limit: LimitReading) -> str:
    """What brought the budget here: usage, unless it would not be without what else moved it."""
    row = standing.row
    if standing.is_edited:
        return "budget"
    if row.measure == BURN_RATE:
        return limit.moved_by or "usage"
    threshold = _act_threshold(row)
    if limit.moved_use <= 0 or row.used is None or threshold is None:
        return "usage"
    is_reached = row.used - limit.moved_use + limit.headroom >= threshold
    return "usage" if is_reached else limit.moved_by or "price"


def act_level(row: BudgetReading) -> Level:
    """The level from which a budget's limits stand."""
    return "critical" if row.mode == "hard" else "warning"


def _act_threshold(row: BudgetReading) -> Decimal | None:
    return row.critical_threshold if act_level(row) == "critical" else row.warning_threshold


def limit_reading(row: BudgetReading, reading: Reading) -> LimitReading:
    """What limits need to know of a budget; nothing special where the marts say nothing."""
    place = (row.budget_id, row.period_start_at)
    return reading.limits.get(place, LimitReading(*place))
