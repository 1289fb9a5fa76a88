"""Closed months, told once each: `period.closed`."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, RowMapping, select

from orchestration.governance.bodies import iso, money, single_body
from orchestration.governance.endpoints import hearing_endpoints, subscribed
from orchestration.ops.outbox import enqueue
from orchestration.ops.store import writing
from orchestration.ops.tables import period_close

# An endpoint that is new is not told the history.
_NEWS_DAYS = 30


def announce_closes(engine: Engine, *, as_of: datetime) -> int:
    """How many messages now wait; a month that was told is not told again."""
    is_news = period_close.c.closed_at > as_of - timedelta(days=_NEWS_DAYS)
    messages = 0
    with writing(engine) as connection:
        endpoints = hearing_endpoints(connection)
        for closed in connection.execute(select(period_close).where(is_news)).mappings():
            targets = subscribed(endpoints, event_type="period.closed", entities=())
            messages += enqueue(
                connection,
                subject_kind="period",
                subject_id=closed["period"],
                event_type="period.closed",
                endpoint_ids=[target.id for target in targets],
                body=single_body("period.closed", timestamp=as_of, data=_data(closed)),
                created_at=as_of,
            )
    return messages


def _data(closed: RowMapping) -> dict[str, Any]:
    lines = json.loads(closed["totals_json"])["lines"]
    totals = {
        name: money(sum((Decimal(line[f"{name}_usd"]) for line in lines), Decimal(0)))
        for name in ("list_cost", "effective_cost", "charged")
    }
    return {
        "period": closed["period"],
        "closed_at": iso(closed["closed_at"]),
        "snapshot_id": closed["snapshot_id"],
        "totals_sha256": closed["totals_sha256"],
        "lines": len(lines),
        "totals": {"currency": "USD", **totals},
    }
