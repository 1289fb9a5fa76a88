"""Customers served at a loss, told once a month and customer: `margin.threshold_reached`.

Where a negative-margin alert of `alerts.yaml` watches a customer, that alert tells it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
from sqlalchemy import Engine

from orchestration.governance.bodies import iso, money, single_body
from orchestration.governance.endpoints import hearing_endpoints, subscribed
from orchestration.governance.lineage import lineage_of
from orchestration.governance.subjects import Subject
from orchestration.ops.outbox import enqueue
from orchestration.ops.store import writing

# An endpoint that is new is not told the history.
_NEWS_DAYS = 62

_LOSSES = f"""
    select margins.month_on, margins.customer_key, customers.customer_name,
        customers.customer_path, margins.income_basis, margins.income_usd,
        margins.effective_cost_usd, margins.margin_usd
    from margin.fct_margin_monthly as margins
    left join core.dim_customers as customers on margins.customer_key = customers.customer_key
    cross join core.published_snapshot as snapshot
    where margins.is_negative
        and margins.month_on + interval 1 month > snapshot.as_of - interval {_NEWS_DAYS} day
    order by margins.month_on, margins.customer_key
"""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """One customer and month whose known income does not cover its cost, in USD."""

    month_on: date
    customer_key: str
    customer_name: str | None
    customer_path: str | None
    income_basis: str
    income_usd: Decimal
    effective_cost_usd: Decimal
    margin_usd: Decimal


def read_losses(con: duckdb.DuckDBPyConnection) -> list[Loss]:
    """The losses of recent months that the published marts show."""
    names = tuple(Loss.__annotations__)
    return [Loss(**dict(zip(names, row, strict=True))) for row in con.execute(_LOSSES).fetchall()]


def unwatched_losses(losses: Sequence[Loss], alerts: Mapping[str, Sequence[Subject]]) -> list[Loss]:
    """The losses of customers that no alert watches."""
    watched = {each.context["entity"]["key"] for each in alerts["margin"]}
    return [each for each in losses if each.customer_key not in watched]


def announce_losses(engine: Engine, losses: Sequence[Loss], *, as_of: datetime) -> int:
    """How many messages now wait; what was told of a customer and month is not told again."""
    messages = 0
    with writing(engine) as connection:
        endpoints = hearing_endpoints(connection)
        for loss in losses:
            targets = subscribed(
                endpoints,
                event_type="margin.threshold_reached",
                entities=lineage_of(loss.customer_path, loss.customer_key),
            )
            messages += enqueue(
                connection,
                subject_kind="margin",
                subject_id=f"{loss.customer_key}|{loss.month_on:%Y-%m}",
                event_type="margin.threshold_reached",
                endpoint_ids=[target.id for target in targets],
                body=single_body("margin.threshold_reached", timestamp=as_of, data=_data(loss)),
                created_at=as_of,
            )
    return messages


def _data(loss: Loss) -> dict[str, object]:
    start = datetime(loss.month_on.year, loss.month_on.month, 1, tzinfo=UTC)
    return {
        "customer": {
            "key": loss.customer_key,
            "name": loss.customer_name,
            "path": loss.customer_path,
        },
        "period": {"kind": "month", "start_at": iso(start)},
        "margin": {
            "currency": "USD",
            "income_basis": loss.income_basis,
            "income": money(loss.income_usd),
            "cost": money(loss.effective_cost_usd),
            "margin": money(loss.margin_usd),
        },
    }
