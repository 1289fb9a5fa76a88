"""Customers served at a loss are told of once a month, exact amounts included."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
from ops_stores import endpoint, opened_store, rows

from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.losses import announce_losses, read_losses
from orchestration.ops.tables import outbox

AS_OF = datetime(2026, 11, 23, 12, tzinfo=UTC)
MARTS = """
create schema margin; create schema core;
create table core.dim_customers as select 'globex' as customer_key, 'Globex' as customer_name,
    'Customers / Globex' as customer_path;
create table margin.fct_margin_monthly as select * from (values
    (date '2026-11-01', 'globex', 'revenue', 100.00::decimal(38, 15), 112.5::decimal(38, 15),
        -12.5::decimal(38, 15), true),
    (date '2026-11-01', 'initech', 'charged', 12, 10, 2, false)
) as given (month_on, customer_key, income_basis, income_usd, effective_cost_usd, margin_usd,
    is_negative);
"""


def test_a_loss_is_one_message_a_month_and_customer(tmp_path: Path) -> None:
    with duckdb.connect() as marts:
        marts.execute(MARTS)
        losses = read_losses(marts)
    assert [(loss.customer_key, loss.margin_usd) for loss in losses] == [
        ("globex", Decimal("-12.5"))
    ]
    with opened_store(tmp_path) as engine:
        sync_endpoints(engine, [endpoint()])
        assert announce_losses(engine, losses, as_of=AS_OF) == 1
        assert announce_losses(engine, losses, as_of=AS_OF) == 0
        [message] = rows(engine, outbox)
    assert message["event_type"] == "margin.threshold_reached"
    assert json.loads(message["body"])["data"]["margin"] == {
        "currency": "USD",
        "income_basis": "revenue",
        "income": "100",
        "cost": "112.5",
        "margin": "-12.5",
    }
