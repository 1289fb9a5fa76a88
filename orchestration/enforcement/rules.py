"""How long a person's change at a gateway is respected."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from orchestration.ops.reconciler import Limit


@dataclass(frozen=True)
class Rules:
    """For a time, or until this share more of the amount is used."""

    override_for: timedelta = timedelta(hours=4)
    override_growth_ratio: Decimal = Decimal("0.1")


def override_stands(limit: Limit, *, now: datetime, rules: Rules) -> bool:
    """True while what a person said of this key, or did to it, is respected."""
    if limit.override is None or now >= limit.override.until:
        return False
    for reason in limit.reasons:
        mark = limit.override.marks.get(reason["budget_id"])
        if mark is None or not reason.get("used") or not reason.get("amount"):
            continue
        growth = Decimal(reason["amount"]) * rules.override_growth_ratio
        if Decimal(reason["used"]) >= Decimal(mark) + growth:
            return False
    return True
