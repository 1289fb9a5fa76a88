"""What an alert is about at one snapshot, whichever kind it is: all that its evaluation needs.

A kind (budget, wallet) makes subjects of its own readings and is done; states, transitions and
messages are the same for every kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from orchestration.governance import bodies
from orchestration.governance.alerts import Thresholds
from orchestration.governance.budgets import BURN_RATE, BudgetReading


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One alert in one period: the value now, the levels, and what a message says of it."""

    alert_id: str  # <kind>:<name>; the kind begins the type of its events
    version: str
    value: Decimal | None  # None where there is none, or none to judge by
    limit_value: Decimal | None
    unit: str  # of value and limit: usd, tokens, credits
    thresholds: Thresholds
    period_start_at: datetime
    period_end_at: datetime
    context: Mapping[str, Any]
    declaration: Mapping[str, Any]
    hysteresis_ratio: Decimal = Decimal(0)
    renotify_after: timedelta | None = None
    is_without_data: bool = False  # nothing to judge by, which is no error: the level stays
    tells_no_data: bool = False  # that it has gone is told
    is_paused: bool = False  # reported, and neither told nor acted on
    recipients: tuple[str, ...] | None = None  # endpoint ids; None: all that subscribed

    @property
    def place(self) -> tuple[str, datetime]:
        """Where its state is kept."""
        return self.alert_id, self.period_start_at


def budget_subject(row: BudgetReading) -> Subject:
    """The alert of a budget in one period."""
    context = bodies.context_of(row)
    is_without = row.used == 0 and row.first_usage_at is None and row.on_no_data != "zero"
    return Subject(
        alert_id=budget_alert_id(row),
        version=row.budget_version,
        value=None if is_without else row.used,
        limit_value=row.amount,
        unit=row.unit,
        thresholds=Thresholds(
            info=row.info_threshold,
            warning=row.warning_threshold,
            critical=row.critical_threshold,
        ),
        period_start_at=row.period_start_at,
        period_end_at=row.period_end_at,
        context=context,
        declaration={
            "budget": context["budget"],
            "entity": row.entity_key,
            "amount": bodies.money(row.amount),
            "thresholds": context["thresholds"],
            "action": row.action,
        },
        hysteresis_ratio=row.hysteresis_ratio,
        renotify_after=minutes_of(row.renotify_minutes),
        is_without_data=is_without,
        tells_no_data=row.on_no_data == "notify",
        is_paused=row.is_paused,
        recipients=recipients_of(row.recipients),
    )


def minutes_of(count: int | None) -> timedelta | None:
    """A length in minutes; none stays none."""
    return None if count is None else timedelta(minutes=count)


def recipients_of(text: str | None) -> tuple[str, ...] | None:
    """Endpoint ids written between bars; none where the text names none."""
    return None if text is None else tuple(filter(None, text.split("|")))


def budget_alert_id(row: BudgetReading) -> str:
    """The id of a budget's alert; of an alert that acts, its own."""
    return row.budget_id if row.measure == BURN_RATE else f"budget:{row.budget_id}"


def thresholds_in(context: Mapping[str, Any]) -> Thresholds:
    """The thresholds that a context holds as text."""
    stated = {
        level: None if text is None else Decimal(text)
        for level, text in context["thresholds"].items()
    }
    return Thresholds(
        info=stated["info"],
        warning=stated["warning"],
        critical=stated["critical"],
        condition=context.get("condition", "above"),
    )
