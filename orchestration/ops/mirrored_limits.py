"""What ought to stand at gateways and what people said yes to, as rows that dashboards can read."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Engine, select

from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME
from orchestration.ops.people import LIMITS, armed_gateways
from orchestration.ops.store import reading
from orchestration.ops.tables import approval, desired_limit

_WANTS = pa.schema(
    [
        ("gateway", TEXT),
        ("key_ref", TEXT),
        ("key_alias", TEXT),
        ("generation", INTEGER),
        ("want", TEXT),
        ("remaining_usd", MONEY),
        ("requests_per_minute", INTEGER),
        ("held_reason", TEXT),
        ("approval_id", TEXT),
        ("is_armed", pa.bool_()),
        ("snapshot_id", INTEGER),
        ("budget_id", TEXT),
        ("entity_key", TEXT),
        ("action", TEXT),
        ("cause", TEXT),
        ("used", MONEY),
        ("amount", MONEY),
        ("own_usage_ratio", pa.float64()),
    ]
)

_APPROVALS = pa.schema(
    [
        ("id", TEXT),
        ("plan_sha", TEXT),
        ("approved_by", TEXT),
        ("approved_at", UTC_TIME),
        ("expires_at", UTC_TIME),
    ]
)


def wants_now(engine: Engine) -> pa.Table:
    """One row a wanted limit and budget that asks for it; keys that ought to be open have none."""
    with reading(engine) as connection:
        return pa.Table.from_pylist(list(_wants(connection)), schema=_WANTS)


def approvals_now(engine: Engine) -> pa.Table:
    """Every approval of limits, as it was given last."""
    columns = [approval.c[name] for name in _APPROVALS.names]
    query = select(*columns).where(approval.c.kind == LIMITS).order_by(approval.c.id)
    with reading(engine) as connection:
        rows = [dict(row._mapping) for row in connection.execute(query)]
    return pa.Table.from_pylist(rows, schema=_APPROVALS)


def _wants(connection: Connection) -> Iterator[dict[str, Any]]:
    armed = armed_gateways(connection)
    query = select(desired_limit).where(desired_limit.c.want != "open")
    for row in connection.execute(query.order_by(desired_limit.c.gateway, desired_limit.c.key_ref)):
        stated = json.loads(row.want_json)
        for reason in json.loads(row.reason_json):
            own = reason.get("own_usage_ratio")
            yield {
                "gateway": row.gateway,
                "key_ref": row.key_ref,
                "key_alias": reason.get("key_alias"),
                "generation": row.generation,
                "want": row.want,
                "remaining_usd": _money(stated.get("remaining_usd")),
                "requests_per_minute": stated.get("requests_per_minute"),
                "held_reason": row.held_reason,
                "approval_id": row.approval_id,
                "is_armed": row.gateway in armed,
                "snapshot_id": row.snapshot_id,
                "budget_id": reason["budget_id"],
                "entity_key": reason["entity_key"],
                "action": reason["action"],
                "cause": reason["cause"],
                "used": _money(reason.get("used")),
                "amount": _money(reason.get("amount")),
                "own_usage_ratio": None if own is None else float(own),
            }


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
