"""Readings as the published marts would give them: a budget of 1,000 USD unless told otherwise."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from orchestration.governance.budgets import BudgetReading, KeyOfBudget, LimitReading, Reading

NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
JANUARY = datetime(2027, 1, 1, tzinfo=UTC)
AS_OF = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = "a" * 64
OTHER_KEY = "b" * 64

_ROW = BudgetReading(
    budget_id="coder",
    budget_version="v1",
    entity_key="agent-coder",
    entity_name="Coder",
    entity_path="acme / ws-product / team-platform / agent-coder",
    tree="owner",
    scope="consolidated",
    measure="cost",
    unit="usd",
    mode="hard",
    is_paused=False,
    recipients=None,
    period="month",
    period_start_at=NOVEMBER,
    period_end_at=DECEMBER,
    is_current=True,
    amount=Decimal("1000"),
    info_threshold=Decimal("500"),
    warning_threshold=Decimal("800"),
    critical_threshold=Decimal("1000"),
    hysteresis_ratio=Decimal(0),
    renotify_minutes=None,
    on_no_data="zero",
    used=Decimal("0"),
    priced=Decimal("0"),
    estimated=Decimal("0"),
    first_usage_at=None,
    as_of=AS_OF,
    fidelity="per_request",
    data_lag_ms=90_500,
    is_complete=True,
    held_reason=None,
    top_drivers_json='[{"model": "gpt-5", "used": 12.50}]',
    action="block",
)


def budget(used: str | None, **changes: Any) -> BudgetReading:
    """One budget row with this much used."""
    amount = None if used is None else Decimal(used)
    return replace(_ROW, used=amount, priced=amount, **changes)


def december(used: str | None, **changes: Any) -> BudgetReading:
    """The same budget in the month after."""
    return budget(used, period_start_at=DECEMBER, period_end_at=JANUARY, **changes)


def key(
    key_hash: str = KEY,
    *,
    alias: str = "agent-coder-key",
    of: str = "coder",
    at: str = "litellm-main",
    own: float | None = 1.0,
) -> KeyOfBudget:
    """A key that spends on a budget; `own` is the budget's share of its use."""
    return KeyOfBudget(
        budget_id=of,
        gateway=at.removesuffix("-main"),
        source_instance=at,
        raw_key_hash=key_hash,
        raw_key_alias=alias,
        own_usage_ratio=own,
    )


def reading(
    snapshot_id: int,
    *rows: BudgetReading,
    keys: tuple[KeyOfBudget, ...] | None = None,
    as_of: datetime = AS_OF,
    checks_ok: bool = True,
    held_reason: str | None = None,
    limits: Sequence[LimitReading] = (),
) -> Reading:
    """One snapshot; the coder's key unless others are given."""
    return Reading(
        snapshot_id=snapshot_id,
        as_of=as_of,
        checks_ok=checks_ok,
        held_reason=held_reason,
        budgets=rows,
        keys=(key(),) if keys is None else keys,
        limits={(each.budget_id, each.period_start_at): each for each in limits},
    )
