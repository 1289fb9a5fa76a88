"""Decisions of people out of the operational store, for the models that honour them.

The way of inputs: what is evaluated, sent or set at gateways is not among them.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from ingestion.decisions import TOTAL_AMOUNTS, Row, append_decisions, content_sha256, landed
from orchestration.ops.store import reading
from orchestration.ops.tables import approval, identity_acceptance, period_close, repricing

PRICE_APPROVAL = "price"


def land_decisions(engine: Engine, home: Path, *, proposed: Sequence[Row] = ()) -> bool:
    """Appends what people decided to `raw_decisions.*`; False where nothing is new.

    `proposed` are repricings that nobody decided yet, for a copy in which they are tried out.
    """
    known = landed(home)
    with reading(engine) as connection:
        tables = _tables(connection)
        tables["repricings"] += [dict(row) for row in proposed]
        content = content_sha256(tables)
        is_empty = not any(tables.values())
        if content == known.content_sha256 or (is_empty and known.content_sha256 is None):
            return False
        new = [
            close["period"]
            for close in tables["period_closes"]
            if close["totals_sha256"] not in known.totals_sha256
        ]
        tables["closed_totals"] = _totals(connection, new)
    append_decisions(home, tables)
    return True


def _tables(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    approvals = select(
        approval.c.id.label("approval_id"), approval.c.approved_by, approval.c.approved_at
    )
    repricings = select(
        repricing.c.id.label("repricing_id"),
        repricing.c.from_at,
        repricing.c.to_at,
        repricing.c.as_known_at,
        repricing.c.price_key,
        repricing.c.undone_at.is_not(None).label("is_undone"),
        repricing.c.created_at.label("applied_at"),
        repricing.c.by.label("applied_by"),
    )
    identities = select(
        identity_acceptance.c.id.label("acceptance_id"),
        identity_acceptance.c.dimension,
        identity_acceptance.c.source_instance,
        identity_acceptance.c.field,
        identity_acceptance.c.field_value,
        identity_acceptance.c.target_key,
        identity_acceptance.c.by.label("accepted_by"),
        identity_acceptance.c.accepted_at,
    ).where(identity_acceptance.c.undone_at.is_(None))
    closes = select(
        period_close.c.period,
        period_close.c.closed_at,
        period_close.c.snapshot_id,
        period_close.c.by.label("closed_by"),
        period_close.c.totals_sha256,
    )
    queries = {
        "price_approvals": approvals.where(approval.c.kind == PRICE_APPROVAL).order_by(
            approval.c.id
        ),
        "identity_acceptances": identities.order_by(identity_acceptance.c.id),
        "repricings": repricings.order_by(repricing.c.id),
        "period_closes": closes.order_by(period_close.c.period),
    }
    return {
        name: [dict(row._mapping) for row in connection.execute(query)]
        for name, query in queries.items()
    }


def _totals(connection: Connection, periods: list[str]) -> list[dict[str, Any]]:
    """The frozen lines of these months, money as Decimal."""
    query = select(period_close).where(period_close.c.period.in_(periods))
    rows = []
    for close in connection.execute(query.order_by(period_close.c.period)):
        constants = {"period": close.period, "totals_sha256": close.totals_sha256}
        for line in json.loads(close.totals_json)["lines"]:
            # A month closed by an older version lacks what was not kept then.
            stated = {name: line.get(name) for name in TOTAL_AMOUNTS}
            amounts = {
                name: None if value is None else Decimal(value) for name, value in stated.items()
            }
            rows.append(constants | line | amounts)
    return rows
