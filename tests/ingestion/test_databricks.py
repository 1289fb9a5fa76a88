"""System tables are read by the hour, each hour whole, and twice without a trace."""

import logging
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from databricks_server import (
    INSTANCE,
    NOW,
    SECRET,
    TOKEN,
    WarehouseServer,
    load_databricks,
    warehouse_server,
)
from dlt.pipeline.exceptions import PipelineStepFailed
from pydantic import ValidationError
from raw_loads import cursor_of, loaded, refusal, rows_of, tied

from ingestion.databricks import DatabricksSource, databricks_source
from ingestion.pipeline import pipeline_for, run_source
from sandbox.databricks import CLIENT_ID, CLIENT_SECRET, WAREHOUSE_ID
from sandbox.server import Sandbox

CALLS, SPEND = "raw_databricks.ai_gateway_usage", "raw_databricks.external_model_spend"
REQUESTS, BILLED = "raw_databricks.endpoint_usage", "raw_databricks.billing_usage"
GATEWAY, ENDPOINT = "system.ai_gateway.usage", "system.serving.endpoint_usage"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATER = NOW + 3 * DAY
MONEY_TOO = ("ai_gateway_usage", "external_model_spend")
BILL_TOO = (*MONEY_TOO, "billing_usage")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.http.BACKOFF_SECONDS", 0.001)


@pytest.fixture
def server() -> Iterator[WarehouseServer]:
    with warehouse_server() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def load(
    home: Path, server: WarehouseServer, *, only: Sequence[str] = MONEY_TOO, **facts: Any
) -> None:
    load_databricks(home, server.script.url, only=only, **facts)


def ids(home: Path) -> list[str]:
    return loaded(home, "invocation_id", table=CALLS)


def state_of(home: Path) -> dict[str, Any]:
    return cursor_of(home, "databricks", INSTANCE)


def asked_of(server: WarehouseServer, table: str) -> list[str]:
    """The conditions of the statements that read rows of a table."""
    return [
        text.partition(" WHERE ")[2].partition(" ORDER BY ")[0]
        for text, _ in server.statements.values()
        if f"FROM {table} " in text and "MIN(" not in text
    ]


def test_every_table_is_read_as_it_was_told(server: WarehouseServer, home: Path) -> None:
    load(home, server, now=LATER, only=())
    rows = {"ai_gateway_usage": 5, "external_model_spend": 1, "endpoint_usage": 3,
            "served_entities": 3, "billing_usage": 3, "list_prices": 1}  # fmt: skip
    for resource, count in rows.items():
        assert tied(home, table=f"raw_databricks.{resource}") == (count, count, 0)
    [call] = rows_of(
        home,
        f"""select input_tokens, cache_read_input_tokens, cache_creation_input_tokens,
            output_tokens, output_reasoning_tokens, request_tags, window_key, source_locator
        from {CALLS} where invocation_id = 'inv-1'""",
    )
    assert call == (
        13_300, 8_000, 5_000, 420, None, '{"customer_id":"cust_acme","team":"support"}',
        "2026-11-20T10", "system.ai_gateway.usage 2026-11-20T10 row 1",
    )  # fmt: skip
    assert loaded(home, "record_type, usage_quantity, window_key", table=BILLED) == [
        ("ORIGINAL", Decimal("0.125"), "2026-11-20"),
        ("RESTATEMENT", Decimal("0.119"), "2026-11-23"),
        ("RETRACTION", Decimal("-0.125"), "2026-11-23"),
    ]


# Windows


def test_one_closed_window_is_read_with_its_zone(server: WarehouseServer, home: Path) -> None:
    load(home, server, now=LATER, only=BILL_TOO)
    # From the first row on, two days a statement, up to the last hour that is over.
    assert asked_of(server, GATEWAY) == [
        "event_time >= TIMESTAMP '2026-11-20T10:00:00+00:00' "
        "AND event_time < TIMESTAMP '2026-11-22T10:00:00+00:00'",
        "event_time >= TIMESTAMP '2026-11-22T10:00:00+00:00' "
        "AND event_time < TIMESTAMP '2026-11-23T12:00:00+00:00'",
    ]
    [billed] = asked_of(server, "system.billing.usage")
    assert billed.startswith(
        "ingestion_date >= DATE '2026-11-20' AND ingestion_date < DATE '2026-11-24' "
        "AND billing_origin_product IN ("
    )
    assert state_of(home)["cursors"] == {
        "ai_gateway_usage": "2026-11-23T12:00:00+00:00",
        "external_model_spend": "2026-11-23T12:00:00+00:00",
        "billing_usage": "2026-11-23T00:00:00+00:00",
    }
    server.statements.clear()
    load(home, server, now=LATER + HOUR, only=BILL_TOO)
    [overlap] = asked_of(server, GATEWAY)
    assert overlap == (
        "event_time >= TIMESTAMP '2026-11-22T12:00:00+00:00' "
        "AND event_time < TIMESTAMP '2026-11-23T13:00:00+00:00'"
    )
    [billed] = asked_of(server, "system.billing.usage")
    assert "ingestion_date >= DATE '2026-11-20' AND ingestion_date < DATE '2026-11-24'" in billed


def test_five_runs_over_unchanged_tables_append_nothing(
    server: WarehouseServer, home: Path
) -> None:
    for run in range(5):
        load(
            home,
            server,
            now=NOW + run * HOUR,
            deep_reread=run == 4,
            only=("ai_gateway_usage", "endpoint_usage", "list_prices"),
        )
    assert tied(home, table=CALLS) == (5, 5, 0)
    assert tied(home, table=REQUESTS) == (3, 3, 0)
    assert tied(home, table="raw_databricks.list_prices") == (1, 1, 0)


def test_an_hour_is_read_once_it_is_over(server: WarehouseServer, home: Path) -> None:
    load(home, server, now=NOW.replace(hour=11, minute=10))
    assert ids(home) == []
    load(home, server, now=NOW.replace(hour=11, minute=15))
    assert len(ids(home)) == 5


def test_late_and_restated_rows_bring_their_hour_again(server: WarehouseServer, home: Path) -> None:
    load(home, server)
    calls = server.tables[GATEWAY]
    server.tables["system.ai_gateway.external_model_spend"].change(0, usage_quantity="0.03")
    calls.add(calls.rows[0], invocation_id="late", event_time="2026-11-20T11:59:00.000Z")
    calls.add(calls.rows[0], invocation_id="too late", event_time="2026-11-18T09:00:00.000Z")
    load(home, server, now=NOW + HOUR)
    assert [name for name in ids(home) if "late" in name] == ["late"]
    # Their own hours were not touched: one more row of one more hour.
    assert tied(home, table=CALLS) == (6, 6, 0)
    spent = loaded(home, "usage_quantity", table=SPEND)
    assert spent == [Decimal("0.02835"), Decimal("0.03")]
    load(home, server, now=NOW + 2 * HOUR, deep_reread=True)
    assert [name for name in ids(home) if "late" in name] == ["late", "too late"]


def test_a_row_gone_from_its_hour_leaves_a_reading_without_it(
    server: WarehouseServer, home: Path
) -> None:
    load(home, server)
    server.tables["system.ai_gateway.external_model_spend"].rows.clear()
    load(home, server, now=NOW + HOUR)
    counts = rows_of(
        home,
        f"""select rows_read_count from {SPEND}__reads where window_key is not null
        order by _dlt_load_id""",
    )
    assert counts == [(1,), (0,)]


def test_rows_that_come_while_a_result_is_read_are_in_the_next(
    server: WarehouseServer, home: Path
) -> None:
    calls = server.tables[GATEWAY]

    def insert(told: Any) -> Any:
        if not any("during" in row for row in calls.rows):
            calls.add(calls.rows[0], invocation_id="during")
        return told

    server.chunk_rows = 1
    server.rewrite = insert
    load(home, server)
    load(home, server, now=NOW + HOUR)
    assert sorted(set(ids(home))) == ["during", "inv-1", "inv-2", "inv-3a", "inv-3b", "inv-4"]


def test_what_is_remembered_of_old_windows_is_dropped(server: WarehouseServer, home: Path) -> None:
    load(home, server, only=BILL_TOO)
    assert list(state_of(home)["digests"]["ai_gateway_usage"]) == ["2026-11-20T10"]
    load(home, server, now=NOW + 9 * DAY, only=BILL_TOO)
    assert state_of(home)["digests"]["ai_gateway_usage"] == {}
    assert list(state_of(home)["digests"]["billing_usage"]) == ["2026-11-20", "2026-11-23"]


# Rows and columns that do not fit


def test_malformed_rows_are_set_aside_with_the_reason(server: WarehouseServer, home: Path) -> None:
    calls = server.tables[GATEWAY]
    good = calls.rows[0]
    for name, changes in {
        "b-count": {"input_tokens": "many"},
        "c-negative": {"output_tokens": "-1"},
        "d-wide": {"total_tokens": "9" * 30},
        "e-struct": {"token_details": "not json"},
        "f-part": {"token_details": '{"cache_read_input_tokens":1.5}'},
        "g-text-count": {"token_details": '{"cache_read_input_tokens":"12"}'},
    }.items():
        calls.add(good, invocation_id=name, event_time="2026-11-20T11:00:00.000Z", **changes)
    calls.add(good, invocation_id=None, event_time="2026-11-20T11:00:01.000Z")
    spend = server.tables["system.ai_gateway.external_model_spend"]
    spend.add(spend.rows[0], record_id="s-2", usage_quantity="a lot")
    spend.add(spend.rows[0], record_id="s-3", usage_quantity="-0.5")
    load(home, server)
    rejected = loaded(home, "source_locator, column_name, reason", table=f"{CALLS}__rejected")
    place = "system.ai_gateway.usage 2026-11-20T11 row"
    assert rejected == [
        (f"{place} 1", "input_tokens", "not_an_integer"),
        (f"{place} 2", "output_tokens", "negative"),
        (f"{place} 3", "total_tokens", "out_of_range"),
        (f"{place} 4", "cache_read_input_tokens", "not_an_integer"),
        (f"{place} 5", "cache_read_input_tokens", "not_an_integer"),
        (f"{place} 7", "invocation_id", "missing"),
    ]
    assert tied(home, table=CALLS) == (12, 6, 6)
    assert loaded(home, "record_id", table=SPEND) == ["s-1", "s-3"]
    load(home, server, now=NOW + HOUR)
    assert tied(home, table=CALLS) == (12, 6, 6)


def test_only_columns_that_exist_are_asked_for(
    server: WarehouseServer, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    calls = server.tables[GATEWAY]
    names = [column["name"] for column in calls.columns]
    place = names.index("time_to_first_byte_ms")
    for row in [calls.columns, *calls.rows]:
        del row[place]
        row.append(
            {"name": "prompt", "type_text": "STRING", "type_name": "STRING"}
            if row is calls.columns
            else "canary-of-a-prompt"
        )
    with caplog.at_level(logging.INFO, logger="ingestion.databricks"):
        load(home, server)
    assert set(loaded(home, "time_to_first_byte_ms", table=CALLS)) == {None}
    assert "system.ai_gateway.usage has columns not read: prompt" in caplog.messages[0]
    assert not any("prompt" in text for text, _ in server.statements.values())


# Failures


def refused(home: Path, server: WarehouseServer, **facts: Any) -> str:
    """Why the run failed; the warehouse and the cursors stay as they were."""
    before = state_of(home), tied(home, table=CALLS), tied(home, table=SPEND)
    with pytest.raises(PipelineStepFailed) as failed:
        load(home, server, **({"only": BILL_TOO} | facts))
    assert TOKEN not in str(failed.value) and SECRET not in str(failed.value)
    assert (state_of(home), tied(home, table=CALLS), tied(home, table=SPEND)) == before
    return refusal(failed)


def test_a_run_that_fails_leaves_rows_and_cursors_as_they_were(
    server: WarehouseServer, home: Path
) -> None:
    load(home, server)
    calls = server.tables[GATEWAY]
    calls.add(calls.rows[0], invocation_id="new", event_time="2026-11-20T12:05:00.000Z")
    after = NOW + HOUR
    assert refused(home, server, now=after, token="dapi-wrong").endswith("the token was refused")

    def cut(told: Any) -> Any:
        if "manifest" not in told:
            return told
        columns = [column["name"] for column in told["manifest"]["schema"]["columns"]]
        return told | {"manifest": told["manifest"] | {"truncated": "sku_name" in columns}}

    # Calls and money were read by then: nothing of them is kept.
    server.rewrite = cut
    assert refused(home, server, now=after) == "databricks: a result is truncated"
    server.rewrite = None
    server.tables["system.billing.usage"].columns[0]["name"] = "renamed"
    assert refused(home, server, now=after) == (
        "databricks: system.billing.usage has no column record_id any more"
    )
    server.tables["system.billing.usage"].columns[0]["name"] = "record_id"
    load(home, server, now=after)
    assert "new" in ids(home)


def test_a_table_that_is_missing_is_no_failure_unless_both_are(
    server: WarehouseServer, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    some = (*MONEY_TOO, "endpoint_usage", "list_prices")
    kept = server.tables.pop(GATEWAY)
    for name in ("system.ai_gateway.external_model_spend", "system.billing.list_prices"):
        del server.tables[name]
    with caplog.at_level(logging.WARNING, logger="ingestion.databricks"):
        load(home, server, only=some)
    assert sorted(caplog.messages) == [
        "databricks: system.ai_gateway.external_model_spend does not exist: "
        "tracking is not enabled",
        "databricks: system.ai_gateway.usage does not exist: tracking is not enabled",
        "databricks: system.billing.list_prices does not exist: tracking is not enabled",
    ]
    assert tied(home, table=CALLS) == (0, 0, 0)
    assert tied(home, table=REQUESTS) == (3, 3, 0)
    del server.tables[ENDPOINT]
    assert "usage tracking is not enabled" in refused(home, server, now=NOW + HOUR, only=some)
    # Tracking of the gateway is enabled later: its history is read then.
    server.tables[GATEWAY] = kept
    load(home, server, now=NOW + HOUR)
    assert len(ids(home)) == 5


def test_a_source_signs_in_one_way() -> None:
    entry = {"id": "databricks-main", "system": "databricks", "evidence_layer": "provider_log",
             "host_env": "HOST", "warehouse_id": "abc"}  # fmt: skip
    pair = {"client_id_env": "ID", "client_secret_env": "SECRET"}
    DatabricksSource.model_validate(entry | {"token_env": "TOKEN"})
    DatabricksSource.model_validate(entry | pair)
    for wrong in ({}, {"client_id_env": "ID"}, pair | {"token_env": "TOKEN"}):
        with pytest.raises(ValidationError, match="client_secret_env"):
            DatabricksSource.model_validate(entry | wrong)


def test_the_sandbox_is_read_whole_and_no_content_reaches_the_disk(tmp_path: Path) -> None:
    canary = "canary-3c91d7"
    with Sandbox(
        home=tmp_path / "world", as_of=LATER, events=300, days=4, canary=canary
    ) as running:
        source = databricks_source(
            host=running.litellm_url, warehouse_id=WAREHOUSE_ID, disposition="EXTERNAL_LINKS",
            token=None, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, instance=INSTANCE,
            now=running.as_of,
        )  # fmt: skip
        home = tmp_path / "home"
        run_source(pipeline_for("databricks", instance=INSTANCE, home=home), source)
        told = requests.get(running.control_url, timeout=10).json()["databricks"]
    [[calls, tokens]] = rows_of(home, f"select count(*), sum(input_tokens) from {CALLS}")
    assert (calls, tokens) == (told["invocations"], told["input_tokens"])
    [[spent]] = rows_of(home, f"select sum(usage_quantity) from {SPEND}")
    assert spent == Decimal(str(told["spend_usd"]))
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert canary.encode() not in content and CLIENT_SECRET.encode() not in content
