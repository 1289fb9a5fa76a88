"""Databricks' tables as standard events: buckets apart, dollars once and to the last digit.

Three loads: the recorded tables before their money is stated; the money; then corrections of both.
The expected values are worked out by hand.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from databricks_server import NOW, WarehouseServer, load_databricks, warehouse_server
from staged_warehouse import Event, buckets, build, events_of

from ingestion.declared_tables import declare_tables

CALLS, SPEND, REQUESTS = "ai_gateway_usage", "external_model_spend", "endpoint_usage"
HOUR = timedelta(hours=1)
WORKSPACE = "1234567890123456"
TAGS = '{"team":"core","app":"web"}'


@dataclass(frozen=True)
class Seen:
    """The rows of each staging model as they stood after each of the loads."""

    loads: list[dict[str, list[Event]]]

    def now(self, model: str, *, after: int = 3) -> dict[str, Event]:
        """The newest version of each record, without what is removed, as the platform chooses."""
        rows = sorted(
            self.loads[after - 1][model],
            key=lambda row: (row["load_id"], not row["is_removed"], row["source_locator"]),
        )
        newest = {row["source_record_id"].removeprefix(f"{WORKSPACE}:"): row for row in rows}
        return {name: row for name, row in newest.items() if not row["is_removed"]}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    home: Path = tmp_path_factory.mktemp("home")
    loads = []
    with warehouse_server() as server:
        for step, change in enumerate((_first, _second, _third)):
            change(server)
            # Three days on, so that the recorded corrections of the bill are there, too.
            now = NOW + timedelta(days=3, hours=step)
            load_databricks(home, server.script.url, now=now, deep_reread=True)
            if step == 0:
                declare_tables(home)
                build(home, select=["path:models/staging/databricks"])
            names = (CALLS, SPEND, REQUESTS, "billing_usage", "list_prices", "served_entities")
            loads.append(
                {name: events_of(home, f"staging.stg_databricks__{name}") for name in names}
            )
    return Seen(loads)


def _first(server: WarehouseServer) -> None:
    """Calls of two hours; no money yet; one request that the gateway tells too."""
    calls = server.tables["system.ai_gateway.usage"]
    external = {
        "event_time": "2026-11-20T11:00:00.000Z", "destination_model": "gpt-5-mini",
        "destination_type": "EXTERNAL_FOUNDATION_MODEL", "request_tags": TAGS,
        "api_type": "mlflow/v1/chat/completions", "status_code": "200", "token_details": None,
    }  # fmt: skip
    for name, tokens in {"third-1": 100, "third-2": 100, "third-3": 100}.items():
        calls.add(calls.rows[0], **external | _counts(name, tokens, 0))
    quarter = external | {"request_tags": "{}"}
    calls.add(calls.rows[0], **quarter | _counts("quarter-3", 300, 0))
    # 100 of 20 plain, 800 read at a tenth: as heavy as 100 plain.
    details = '{"cache_read_input_tokens":800,"cache_creation_input_tokens":0}'
    calls.add(calls.rows[0], **quarter | _counts("quarter-1", 820, 0) | {"token_details": details})
    failed = {"status_code": "500", "input_tokens": None, "output_tokens": None,
              "total_tokens": None}  # fmt: skip
    calls.add(calls.rows[0], **quarter | _counts("failed", 0, 0) | failed)
    custom = external | {"destination_model": "acme-internal-7b"}
    calls.add(calls.rows[0], **custom | _counts("unpriced", 100, 50))
    hosted = {"destination_type": "PAY_PER_TOKEN_FOUNDATION_MODEL", "request_tags": None}
    over = '{"cache_read_input_tokens":130,"cache_creation_input_tokens":0}'
    calls.add(calls.rows[1], **hosted | _counts("over", 100, 10) | {"token_details": over})
    tool = {"service_type": "MCP_SERVER", "input_tokens": None, "output_tokens": None,
            "total_tokens": None, "invocation_id": "tool", "token_details": None}  # fmt: skip
    calls.add(calls.rows[1], **tool)
    server.tables["system.ai_gateway.external_model_spend"].rows.clear()
    requests = server.tables["system.serving.endpoint_usage"]
    requests.add(requests.rows[0], databricks_request_id="rq-2")
    requests.add(requests.rows[0], databricks_request_id="rq-late")
    # The second version of se-2 is told of later.
    server.tables["system.serving.served_entities"].rows.pop()


def _counts(name: str, into: int, out: int) -> dict[str, Any]:
    return {"invocation_id": name, "request_id": f"rq-{name}", "input_tokens": str(into),
            "output_tokens": str(out), "total_tokens": str(into + out)}  # fmt: skip


def _second(server: WarehouseServer) -> None:
    """The money is stated; the gateway tells of one more request; an endpoint's change is told."""
    spend = server.tables["system.ai_gateway.external_model_spend"]
    recorded = ["s-1", "11112222-3333-4444-5555-666677778888", WORKSPACE, "2026-11-20",
                "2026-11-20T10:00:00.000Z", "2026-11-20T11:00:00.000Z", "USD",
                "0.028350000000000000", '{"provider":"anthropic","model":"claude-sonnet-4-5"}',
                '{"request_tags":{"team":"support","customer_id":"cust_acme"}}']  # fmt: skip
    spend.rows.append(recorded)
    mini = {"usage_start_time": "2026-11-20T11:00:00.000Z",
            "usage_end_time": "2026-11-20T12:00:00.000Z",
            "usage_metadata": '{"provider":"openai","model":"gpt-5-mini"}'}  # fmt: skip
    tags = {"custom_tags": '{"request_tags":{"app":"web","team":"core"}}'}
    untagged = {"custom_tags": '{"request_tags":null}'}
    spend.add(recorded, record_id="thirds", usage_quantity="0.1", **mini, **tags)
    spend.add(recorded, record_id="quarters", usage_quantity="0.5", **mini, **untagged)
    spend.add(recorded, record_id="refund", usage_quantity="-0.1", **mini, **untagged)
    nobody = {"custom_tags": '{"request_tags":{"team":"nobody","customer":"contoso"}}'}
    spend.add(recorded, record_id="alone", usage_quantity="0.75", **mini, **nobody)
    euros = {"usage_unit": "EUR", "usage_quantity": "9"}
    spend.add(recorded, record_id="euros", **mini, **tags, **euros)
    calls = server.tables["system.ai_gateway.usage"]
    calls.add(calls.rows[1], invocation_id="inv-late", request_id="rq-late")
    entities = server.tables["system.serving.served_entities"]
    entities.add(
        entities.rows[1], change_time="2026-05-10T00:00:00.000Z", endpoint_config_version="4",
        entity_name="gpt-5-mini", served_entity_name="gpt-5-mini",
    )  # fmt: skip


def _third(server: WarehouseServer) -> None:
    """A call is gone, a late one tells whose money stood alone, one sum is corrected."""
    calls = server.tables["system.ai_gateway.usage"]
    [gone] = [row for row in calls.rows if "third-1" in row]
    calls.rows.remove(gone)
    [other] = [row for row in calls.rows if "third-2" in row]
    tags = '{"customer":"contoso","team":"nobody"}'
    calls.add(other, **_counts("found", 10, 2), request_tags=tags)
    spend = server.tables["system.ai_gateway.external_model_spend"]
    [place] = [n for n, row in enumerate(spend.rows) if "s-1" in row]
    spend.change(place, usage_quantity="0.03")
    [late] = [row for row in calls.rows if "inv-late" in row]
    calls.rows.remove(late)


def test_counts_are_parted_into_disjoint_buckets(seen: Seen) -> None:
    events = seen.now(CALLS)
    assert {name: buckets(event) for name, event in events.items()} == {
        # 13,300 in of which 8,000 read and 5,000 written.
        "inv-1": {"input": 300, "cache_read": 8_000, "cache_write_5m": 5_000, "output": 420},
        # 340 out of which 120 reasoned.
        "inv-2": {"input": 1_200, "output": 220, "reasoning": 120},
        "inv-3a": {},
        "inv-3b": {"input": 800, "output": 200},
        "inv-4": {},
        "third-2": {"input": 100},
        "third-3": {"input": 100},
        "quarter-3": {"input": 300},
        "quarter-1": {"input": 20, "cache_read": 800},
        "failed": {},
        "unpriced": {"input": 100, "output": 50},
        "over": {"cache_read": 130, "output": 10},
        "tool": {},
        "found": {"input": 10, "output": 2},
    }
    mismatches = {name: event["total_mismatch_tokens"] for name, event in events.items()}
    assert {name: count for name, count in mismatches.items() if count} == {"over": -30}
    assert mismatches["inv-4"] is None and mismatches["inv-1"] == 0


def test_failed_calls_are_errors_and_used_nothing(seen: Seen) -> None:
    events = seen.now(CALLS)
    failed = {name for name, event in events.items() if event["status"] == "error"}
    assert failed == {"inv-3a", "inv-4", "failed"}
    assert {events[name]["total_tokens"] for name in failed} == {0}
    # A tool call has no tokens either, and is metered by the request.
    metered = {name: e["quantity"] for name, e in events.items() if e["unit"] == "requests"}
    assert metered == {"tool": 1}
    assert events["tool"]["operation"] == "agent_action"


def test_before_its_money_is_stated_no_call_claims_any(seen: Seen) -> None:
    claims = {e["reported_cost_usd"] for e in seen.now(CALLS, after=1).values()}
    assert claims == {None}
    assert seen.now(SPEND, after=1) == {}


def test_calls_share_the_dollars_of_their_hour_model_and_tags(seen: Seen) -> None:
    claims = {
        name: event["reported_cost_usd"]
        for name, event in seen.now(CALLS, after=2).items()
        if event["reported_cost_usd"] is not None
    }
    assert claims == {
        "inv-1": Decimal("0.02835"),
        # A third each of 0.1; the first of equals takes what rounding leaves.
        "third-1": Decimal("0.033333333333334"),
        "third-2": Decimal("0.033333333333333"),
        "third-3": Decimal("0.033333333333333"),
        # 0.5 less a refund of 0.1, as 300 to 100.
        "quarter-3": Decimal("0.3"),
        "quarter-1": Decimal("0.1"),
    }
    assert sum(claims.values()) == Decimal("0.52835")


def test_what_no_call_carries_is_carried_by_the_record_itself(seen: Seen) -> None:
    records = seen.now(SPEND, after=2)
    costed = {name for name, event in records.items() if not event["is_informational"]}
    assert costed == {"spend:alone", "spend:euros"}
    alone = records["spend:alone"]
    assert alone["reported_cost_usd"] == alone["quantity"] == Decimal("0.75")
    assert (alone["unit"], alone["fidelity"], alone["usage_origin"]) == (
        "usd",
        "aggregate",
        "bucket",
    )
    assert (alone["provider"], alone["model_served"]) == ("openai", "gpt-5-mini")
    assert (alone["raw_team"], alone["raw_customer"]) == ("nobody", "contoso")
    assert buckets(alone) == {}
    euros = records["spend:euros"]
    assert (euros["unit"], euros["quantity"], euros["reported_cost_usd"]) == ("eur", 9, None)


@pytest.mark.parametrize(("after", "stated"), [(2, "1.27835"), (3, "1.28")])
def test_every_dollar_is_claimed_once(seen: Seen, after: int, stated: str) -> None:
    # 0.02835 (then 0.03) + 0.1 + 0.5 - 0.1 + 0.75.
    events = [*seen.now(CALLS, after=after).values(), *seen.now(SPEND, after=after).values()]
    claimed = sum(
        event["reported_cost_usd"] or 0 for event in events if not event["is_informational"]
    )
    assert claimed == Decimal(stated)


def test_corrections_of_calls_or_money_restate_the_shares(seen: Seen) -> None:
    events = seen.now(CALLS)
    assert "third-1" not in events
    assert {
        name: events[name]["reported_cost_usd"]
        for name in ("inv-1", "third-2", "third-3", "found", "quarter-3")
    } == {
        "inv-1": Decimal("0.03"),
        "third-2": Decimal("0.05"),
        "third-3": Decimal("0.05"),
        # Its call was read: the record that stood alone is informational now.
        "found": Decimal("0.75"),
        "quarter-3": Decimal("0.3"),
    }
    assert seen.now(SPEND)["spend:alone"]["is_informational"]


def test_versions_are_only_ever_added(seen: Seen) -> None:
    for model in (CALLS, SPEND, REQUESTS):
        told = [
            {(r["usage_key"], r["load_id"], r["source_locator"], r["row_hash"]) for r in rows}
            for rows in (load[model] for load in seen.loads)
        ]
        assert told[0] <= told[1] <= told[2], model
        assert len(told[2]) == len(seen.loads[2][model]), f"{model}: a version is told twice"


def test_an_unchanged_call_is_no_new_version(seen: Seen) -> None:
    def hashes(model: str, name: str) -> set[str]:
        return {
            row["row_hash"]
            for row in seen.loads[2][model]
            if row["source_record_id"].endswith(name)
        }

    assert len(hashes(CALLS, ":inv-2")) == 1
    assert len(hashes(CALLS, ":quarter-3")) == 2
    assert len(hashes(CALLS, ":third-2")) == 3
    assert len(hashes(REQUESTS, ":dbr-1:se-1")) == 1


def test_models_and_who_is_paid_have_their_standard_names(seen: Seen) -> None:
    events = seen.now(CALLS)
    told = {
        name: (events[name]["provider"], events[name]["model_served"], events[name]["operation"])
        for name in ("inv-1", "inv-2", "inv-3a", "inv-3b", "inv-4", "third-2", "unpriced")
    }
    assert told == {
        "inv-1": ("anthropic", "claude-sonnet-4-5", "chat"),
        "inv-2": ("databricks", "claude-sonnet-4-5", "chat"),
        # The destination's model is a label here: the name is kept.
        "inv-3a": ("databricks", "gpt-oss-20b", "chat"),
        "inv-3b": ("databricks", "llama-4-maverick", "chat"),
        "inv-4": (None, None, None),
        # Its money says who is paid; without any nobody does.
        "third-2": ("openai", "gpt-5-mini", "chat"),
        "unpriced": (None, "acme-internal-7b", "chat"),
    }


def test_who_is_told_by_tags_then_by_the_endpoint(seen: Seen) -> None:
    def who(event: Event) -> dict[str, str]:
        return {
            key.removeprefix("raw_"): value
            for key, value in event.items()
            if key.startswith("raw_") and value is not None and key != "raw_organization"
        }

    events = seen.now(CALLS)
    assert who(events["inv-1"]) == {
        "workspace": WORKSPACE,
        "team": "support",
        "user": "dana@example.com",
        "customer": "cust_acme",
        "agent": "openai-python/2.1",
        "application": "support-gw",
    }
    # Its own tags are empty: the endpoint's stand in.
    assert who(events["inv-2"])["team"] == "support"
    assert who(events["inv-3a"])["team"] == "core"
    assert who(events["third-2"])["application"] == "web"
    assert who(seen.now(REQUESTS)["dbr-1:se-1"]) == {
        "workspace": WORKSPACE,
        "user": "dana@example.com",
        "customer": "user-17",
        "application": "support",
    }


def test_a_serving_request_is_totals_and_named_by_what_served_it(seen: Seen) -> None:
    before, after = seen.now(REQUESTS, after=1), seen.now(REQUESTS)
    told = after["dbr-1:se-1"]
    assert buckets(told) == {"input": 1_200, "output": 340}
    assert (told["token_convention"], told["total_mismatch_tokens"]) == ("totals", None)
    assert told["request_id"] == "call-77"
    assert (told["provider"], told["model_served"]) == (
        "databricks",
        "databricks-claude-sonnet-4-5",
    )
    assert (after["dbr-3:se-1"]["status"], buckets(after["dbr-3:se-1"])) == ("error", {})
    # The change of May was told of after the request of November had been read.
    assert before["dbr-2:se-2"]["model_served"] == "gpt-4.1-mini"
    assert after["dbr-2:se-2"]["model_served"] == "gpt-5-mini"
    assert after["dbr-2:se-2"]["provider"] == "openai"
    assert after["dbr-2:se-2"]["reported_cost_usd"] is None


def test_a_request_the_gateway_tells_too_counts_once(seen: Seen) -> None:
    def shown(after: int) -> set[str]:
        return {
            name
            for name, event in seen.now(REQUESTS, after=after).items()
            if event["is_informational"]
        }

    assert shown(1) == {"rq-2:se-1"}
    assert shown(2) == {"rq-2:se-1", "rq-late:se-1"}
    # The gateway's row is gone again: the request is this one's.
    assert shown(3) == {"rq-2:se-1"}


def test_all_kinds_of_billing_records_sum_to_what_is_owed(seen: Seen) -> None:
    bill = seen.loads[2]["billing_usage"]
    assert sum(record["quantity"] for record in bill) == Decimal("0.119")
    assert {(record["unit"], record["usage_on"]) for record in bill} == {
        ("dbu", date(2026, 11, 20))
    }
    assert {record["record_type"] for record in bill} == {"ORIGINAL", "RETRACTION", "RESTATEMENT"}
    [price] = seen.loads[2]["list_prices"]
    assert price["list_amount_per_unit"] == Decimal("0.07")
    assert (price["valid_from_at"], price["valid_to_at"]) == (datetime(2026, 1, 1), None)  # noqa: DTZ001
    versions = {
        (entity["served_entity_id"], entity["endpoint_config_version"])
        for entity in seen.loads[2]["served_entities"]
    }
    assert versions == {("se-1", 1), ("se-2", 3), ("se-2", 4)}


def test_times_and_latencies_are_those_of_the_call(seen: Seen) -> None:
    event = seen.now(CALLS)["inv-3b"]
    assert event["occurred_at"] == datetime(2026, 11, 20, 10, 2, 0, 400_000)  # noqa: DTZ001
    assert (event["latency_ms"], event["ttft_ms"]) == (2_100, 310)
    assert (event["evidence_layer"], event["token_convention"]) == ("provider_log", "inclusive")
