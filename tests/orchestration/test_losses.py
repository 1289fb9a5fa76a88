"""Customers served at a loss are told of once a month, exact amounts included."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
from ops_stores import endpoint, opened_store, rows

from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.losses import announce_losses, read_losses, unwatched_losses
from orchestration.governance.readings import read_alerts
from orchestration.ops.tables import outbox

AS_OF = datetime(2026, 11, 23, 12, tzinfo=UTC)
MARTS = """
create schema margin; create schema core;
create table core.dim_customers as select 'globex' as customer_key, 'Globex' as customer_name,
    'Customers / Globex' as customer_path;
create table core.published_snapshot as select 1 as snapshot_id,
    timestamp '2026-11-23 12:00:00' as as_of;
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


def test_a_customer_that_an_alert_watches_is_told_by_it_alone() -> None:
    with duckdb.connect() as marts:
        marts.execute(MARTS)
        losses = read_losses(marts)
        marts.execute(
            """
            create schema budgets;
            create table budgets.fct_alert_readings as select 'loss' as alert_id,
                'v1' as alert_version, 'negative_margin' as kind, 'globex' as entity_key,
                'Globex' as entity_name, 'Customers / globex' as entity_path, 'customer' as tree,
                timestamp '2026-11-01' as period_start_at,
                timestamp '2026-12-01' as period_end_at, 12.5::decimal(38, 6) as value,
                null::decimal(38, 6) as info_threshold, null::decimal(38, 6) as warning_threshold,
                1::decimal(38, 6) as critical_threshold, '{}' as facts_json,
                0::decimal(38, 15) as hysteresis_ratio, null::bigint as renotify_minutes,
                '[]' as top_drivers_json, 'hold' as on_no_data, false as is_paused,
                null::varchar as recipients
            """
        )
        assert unwatched_losses(losses, read_alerts(marts)) == []


def test_only_months_that_reach_into_the_last_62_days_are_told() -> None:
    with duckdb.connect() as marts:
        marts.execute(MARTS)
        marts.execute("update margin.fct_margin_monthly set is_negative = true")
        marts.execute(
            "update margin.fct_margin_monthly set month_on = date '2026-08-01'"
            " where customer_key = 'initech'"
        )
        # 62 days before noon of 1 November is noon of 31 August, which August still reaches.
        told = []
        for as_of in ("2026-11-01 12:00:00", "2026-11-02 00:00:00"):
            marts.execute(f"update core.published_snapshot set as_of = '{as_of}'")
            told.append([loss.customer_key for loss in read_losses(marts)])
    assert told == [["initech", "globex"], ["globex"]]
