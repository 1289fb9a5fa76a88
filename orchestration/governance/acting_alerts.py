"""Burn rates that act at gateways, made readings of: to limits they are budgets of another measure.

What they set is released by a person only: a rate that is back to normal proves nothing, because
a key that is blocked burns nothing.
"""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb

from orchestration.governance.budgets import BURN_RATE, BudgetReading, LimitReading, Reading

_COLUMNS = (
    "alert_id", "alert_version", "entity_key", "entity_name", "entity_path", "tree", "is_paused",
    "recipients", "period_start_at", "period_end_at", "value", "spent_usd", "on_no_data",
    "held_reason", "top_drivers_json", "action", "moved_by",
)  # fmt: skip


def with_acting_alerts(reading: Reading, con: duckdb.DuckDBPyConnection) -> Reading:
    """The reading, with the alerts of the same snapshot that ask for limits."""
    found = con.execute(
        f"select {', '.join(_COLUMNS)} from budgets.fct_alert_readings "
        "where action is not null order by alert_id"
    ).fetchall()
    rows = [dict(zip(_COLUMNS, values, strict=True)) for values in found]
    acting = tuple(_reading(row, as_of=reading.as_of) for row in rows)
    limits = {
        (each.budget_id, each.period_start_at): LimitReading(
            each.budget_id, each.period_start_at, moved_by=row["moved_by"]
        )
        for each, row in zip(acting, rows, strict=True)
    }
    return replace(reading, acting=acting, limits={**reading.limits, **limits})


def _reading(row: dict[str, Any], *, as_of: datetime) -> BudgetReading:
    """The spend of the alert's window stands for the use; its level is the alert's own."""
    spent: Decimal | None = None if row["value"] is None else row["spent_usd"]
    return BudgetReading(
        budget_id=f"{BURN_RATE}:{row['alert_id']}",
        budget_version=row["alert_version"],
        entity_key=row["entity_key"],
        entity_name=row["entity_name"],
        entity_path=row["entity_path"],
        tree=row["tree"],
        scope="consolidated",
        measure=BURN_RATE,
        unit="usd",
        mode="hard",
        is_paused=row["is_paused"],
        recipients=row["recipients"],
        period="rolling",
        period_start_at=row["period_start_at"].replace(tzinfo=UTC),
        period_end_at=row["period_end_at"].replace(tzinfo=UTC),
        is_current=True,
        amount=None,
        info_threshold=None,
        warning_threshold=None,
        critical_threshold=None,
        hysteresis_ratio=Decimal(0),
        renotify_minutes=None,
        on_no_data=row["on_no_data"],
        used=spent,
        priced=spent,
        estimated=None,
        first_usage_at=None,
        as_of=as_of,
        fidelity="per_request",
        data_lag_ms=None,
        is_complete=True,
        held_reason=row["held_reason"],
        top_drivers_json=row["top_drivers_json"],
        action=row["action"],
    )
