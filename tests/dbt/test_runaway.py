"""An agent that runs away is told within minutes, with the key, the model and what moved."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from budget_readings import AS_OF, budget, reading
from ops_stores import body, endpoint, opened_store, rows
from staged_warehouse import compiled_models

from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.evaluate import evaluate
from orchestration.governance.readings import read_alerts
from orchestration.ops.tables import outbox

NOW = AS_OF.replace(tzinfo=None)
BEGINNING, END = datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("9999-12-31")
MONEY = "decimal(38, 15)"
_READING = f"alert_id varchar, entity_key varchar, value {MONEY}, facts_json varchar"
TABLES = {
    "warehouse.staging.stg_run__current_pass": "as_of timestamp",
    "warehouse.staging.stg_config__alerts": "alert_id varchar, alert_version varchar, kind varchar,"
    f" entity_key varchar, window_minutes bigint, floor_usd {MONEY}, info_threshold {MONEY},"
    f" warning_threshold {MONEY}, critical_threshold {MONEY},"
    f" hysteresis_ratio {MONEY}, renotify_minutes bigint, on_no_data varchar,"
    " is_paused boolean, action varchar, recipients varchar",
    "warehouse.intermediate.int_org__expanded": "entity_key varchar, ancestor_key varchar,"
    " tree varchar, depth bigint, valid_from_at timestamp, valid_to_at timestamp",
    "warehouse.intermediate.int_org__nodes": "entity_key varchar, entity_name varchar,"
    " tree varchar",
    "warehouse.intermediate.int_org__paths": "entity_key varchar, entity_path varchar",
    "warehouse.intermediate.int_spend__quarter_hours": "entity_key varchar, customer_key varchar,"
    " bucket_start_at timestamp, usage_on date, fidelity varchar,"
    f" effective_cost_usd {MONEY}, estimated_cost_usd {MONEY}, total_tokens bigint",
    "marts.core.fct_usage": "entity_key varchar, customer_key varchar, usage_on date,"
    " source_instance varchar, occurred_at timestamp, fidelity varchar, model_id varchar,"
    " raw_key_alias varchar,"
    f" effective_cost_usd {MONEY}, estimated_cost_usd {MONEY}, total_tokens bigint",
    "marts.core.dim_entity_owners": "entity_key varchar, is_current boolean, owner_channel varchar",
    "marts.trust.fct_price_reviews": "subject varchar, kind varchar, status varchar",
    "warehouse.intermediate.int_trust__held_sources": "source_instance varchar,"
    " held_reason varchar",
    "marts.trust.fct_coverage_daily": "usage_on date, total_tokens bigint, unpriced_tokens bigint,"
    " unattributed_owner_tokens bigint",
    "warehouse.intermediate.int_alerts__anomalies": f"{_READING}, top_drivers_json varchar",
    "warehouse.intermediate.int_alerts__forecasts": f"{_READING}, top_drivers_json varchar,"
    " budget_id varchar, period_start_at timestamp, period_end_at timestamp",
    "warehouse.intermediate.int_alerts__losses": _READING,
    "warehouse.intermediate.int_alerts__price_changes": f"{_READING}, top_drivers_json varchar",
    "warehouse.intermediate.int_alerts__freshness": f"{_READING}, source_instance varchar",
}


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The agent's two weeks of 1.20 USD an hour at noon, and an alert at ten times that."""
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as warehouse; attach ':memory:' as marts")
        connection.execute("create schema marts.budgets")
        for name, columns in TABLES.items():
            connection.execute(f"create schema if not exists {name.rpartition('.')[0]}")
            connection.execute(f"create table {name} ({columns})")
        put(connection, "staging.stg_run__current_pass", NOW)
        alert = ("runaway-agent-coder", "v1", "burn_rate", "agent-coder", 60, 1, None, 5, 10)
        put(connection, "staging.stg_config__alerts", *alert, 0, None, "hold", False, None, None)
        for node, above in (("agent-coder", "agent-coder"), ("agent-coder", "acme")):
            row = (node, above, "owner", int(node != above), BEGINNING, END)
            put(connection, "intermediate.int_org__expanded", *row)
        put(connection, "intermediate.int_org__nodes", "agent-coder", "Coder", "owner")
        put(connection, "intermediate.int_org__paths", "agent-coder", "acme / agent-coder")
        for day in range(1, 15):
            for quarter in range(1, 5):
                at = NOW - timedelta(days=day, minutes=15 * quarter)
                row = (
                    "agent-coder",
                    "internal",
                    at,
                    at.date(),
                    "per_request",
                    Decimal("0.3"),
                    0,
                    100,
                )
                put(connection, "intermediate.int_spend__quarter_hours", *row)
        yield connection


def put(con: duckdb.DuckDBPyConnection, table: str, *row: object) -> None:
    marks = ", ".join("?" for _ in row)
    con.execute(f"insert into warehouse.{table} values ({marks})", row)


def pushed(con: duckdb.DuckDBPyConnection, minutes_ago: int, model: str, usd: str) -> None:
    at = NOW - timedelta(minutes=minutes_ago)
    row = ("agent-coder", "internal", at.date(), "collector", at, "per_request", model)
    marks = ", ".join("?" for _ in range(11))
    values = (*row, "...c0de", Decimal(usd), 0, 100)
    con.execute(f"insert into marts.core.fct_usage values ({marks})", values)


def test_ten_times_its_burn_is_told_with_key_model_and_drivers(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    models = compiled_models(tmp_path, select=["int_alerts__burn_rates", "fct_alert_readings"])

    def evaluated(snapshot: int) -> None:
        name = "int_alerts__burn_rates"
        con.execute(f"create or replace table warehouse.intermediate.{name} as {models[name]}")
        name = "fct_alert_readings"
        con.execute(f"create or replace table marts.budgets.{name} as {models[name]}")
        con.execute("use marts")
        now = reading(snapshot, budget("1"), as_of=AS_OF)
        evaluate(engine, reading=now, others=read_alerts(con))

    with opened_store(tmp_path) as engine:
        sync_endpoints(engine, [endpoint()])
        pushed(con, 40, "openai/gpt-4o", "1.2")
        evaluated(1)
        assert rows(engine, outbox) == []
        # 10.80 USD in the last four minutes: with the 1.20 before, ten times the usual 1.20.
        for minutes_ago in range(4):
            pushed(con, minutes_ago, "anthropic/claude-opus-4-1", "2.7")
        evaluated(2)
        [message] = rows(engine, outbox)
    told = body(message)
    assert told["type"] == "spend.burn_rate_exceeded"
    data = told["data"]
    assert data["entity"]["key"] == "agent-coder"
    assert data["transition"]["to"] == "critical"
    assert data["reading"]["value"] == "10"
    assert Decimal(data["reading"]["spent_usd"]) == 12
    assert [(each["model"], each["key"], Decimal(each["used"])) for each in data["drivers"]] == [
        ("anthropic/claude-opus-4-1", "...c0de", Decimal("10.8")),
        ("openai/gpt-4o", "...c0de", Decimal("1.2")),
    ]
    assert data["snapshot"]["as_of"] == "2026-11-23T12:00:00.000000Z"
    assert json.dumps(data).count("...c0de") == 2
