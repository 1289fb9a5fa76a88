"""What a customer may still use: `GET /v1/entitlements`, read from the published marts.

A product asks before it serves. Budgets of the customer and of all nodes above it count, whatever
their mode; each is told with what is left of it, and the answer says how old its figures are.
"""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

_SNAPSHOT = "select snapshot_id, as_of from core.published_snapshot order by snapshot_id desc"
_CUSTOMER = "select customer_path from core.dim_customers where customer_key = ?"
_BUDGETS = """
    select
        budget_id, entity_key, measure, unit, feature_filter, model_filter, amount, used, remaining,
        period, period_start_at, period_end_at, matched_level, is_complete
    from budgets.fct_budget_status
    where is_current
        and not is_paused
        and (entity_key = ? or scope = 'consolidated' and list_contains(?, entity_key))
        and (? is null or feature_filter is null or contains(feature_filter, ?))
    order by budget_id
"""


class NothingPublished(Exception):
    """No marts to answer from."""


class UnknownCustomer(Exception):
    """No customer of that key."""


def entitlements(
    marts: Path, *, customer: str, feature: str | None, now: datetime
) -> dict[str, Any]:
    """The customer's budgets; quantities are text, exact, in the unit beside them.

    `is_exceeded` is whether any of them is used up. Without `feature` every feature's are told;
    with it those of that feature and those of all features.
    """
    if not marts.exists():
        raise NothingPublished
    with duckdb.connect(str(marts), read_only=True) as connection:
        snapshot = connection.execute(_SNAPSHOT).fetchone()
        found = connection.execute(_CUSTOMER, [customer]).fetchone()
        if snapshot is None:
            raise NothingPublished
        if found is None:
            raise UnknownCustomer
        lineage = [*(part.strip() for part in found[0].split("/")), customer]
        wanted = None if feature is None else f"|{feature}|"
        cursor = connection.execute(_BUDGETS, [customer, lineage, wanted, wanted])
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    as_of = snapshot[1].replace(tzinfo=UTC)
    told = [_told(row) for row in rows]
    return {
        "customer": customer,
        "feature": feature,
        "is_exceeded": any(each["is_exceeded"] for each in told),
        "entitlements": told,
        "snapshot": {
            "id": snapshot[0],
            "as_of": as_of.isoformat(),
            "age_seconds": max(int((now - as_of).total_seconds()), 0),
        },
    }


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["budget_id"],
        "entity": row["entity_key"],
        "measure": row["measure"],
        "unit": row["unit"],
        "features": _between_bars(row["feature_filter"]),
        "models": _between_bars(row["model_filter"]),
        "granted": format(row["amount"].normalize(), "f"),
        "used": format(row["used"].normalize(), "f"),
        "left": format(max(row["remaining"], Decimal(0)).normalize(), "f"),
        "is_exceeded": row["remaining"] <= 0,
        "level": row["matched_level"],
        "period": row["period"],
        "period_start_at": row["period_start_at"].replace(tzinfo=UTC).isoformat(),
        "period_end_at": row["period_end_at"].replace(tzinfo=UTC).isoformat(),
        "is_complete": row["is_complete"],
    }


def _between_bars(text: str | None) -> list[str] | None:
    return None if text is None else text.strip("|").split("|")
