"""Portkey's logs as standard events: totals without a split, cents into dollars, zero is no price.

The expected values are worked out by hand from the vendor's rows, and from rows made up here.
"""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from portkey_server import PAGES, PORTKEY, READ_AT, lines_of, load_portkey, portkey_server, row
from staged_warehouse import Event, buckets, build, events_of

from ingestion.declared_tables import declare_tables

PLAIN, FAILED, WINNER, HIT, EMBEDDING, UNPRICED = (f"00000000000{n}" for n in range(1, 7))
STORED, STORED_HIT, STORED_FAILURE = "stored-1", "stored-4", "stored-2"
DOLLARS = "portkey-dollars"
AT = "2026-11-20T11:00:01.000Z"
MADE_UP = {
    "free of tokens": {"req_units": 0, "res_units": 0, "total_units": 0, "cost": 0},
    "failure that cost": {"is_success": False, "cost": 0.5},
    "failure with tokens": {"is_success": False, "cost": 0},
    "no cost": {"cost": None},
    "euro": {"cost_currency": "EUR"},
    "totals differ": {"total_units": 150},
    "no total": {"total_units": None},
    "tiny": {"cost": 0.000000000001},
    "by session": {"metadata": {"session": "sess-7", "agent": "triage", "feature": "chat",
                                "app": "web", "user": "ada", "count": 3}},
    "azure": {"ai_org": "azure-openai"},
    "gemini": {"request_url": "https://g.example/v1/models/gemini-2.5-pro:generateContent?key=x"},
    "text": {"request_url": "https://api.openai.com/v1/completions"},
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the vendor's rows, those of its metric store and the ones made up here."""
    home: Path = tmp_path_factory.mktemp("home")
    stored = [json.loads(line) for line in lines_of("metric_rows.jsonl")]
    keys = [json.loads((PAGES / "api_key.json").read_text(encoding="utf-8"))]
    keys.append({**keys[0], "id": "by tokens", "name": "ci", "status": "active", "usage_limits": {
        "type": "tokens", "credit_limit": 5_000, "periodic_reset_days": 30,
    }})  # fmt: skip
    keys.append({**keys[0], "id": "unlimited", "usage_limits": None, "rate_limits": None})
    lines = lines_of("log_export.jsonl")
    lines += [json.dumps({**each, "id": f"stored-{each['id'][-1]}"}) for each in stored]
    lines += [row(name, AT, **fields) for name, fields in MADE_UP.items()]
    graph = json.loads((PAGES / "analytics_graph_cost.json").read_text(encoding="utf-8"))
    with portkey_server(lines=lines, keys=keys, graph=graph) as plane:
        load_portkey(home, plane.url)
    graph = {"summary": {"total": 0.25}, "data_points": []}
    with portkey_server(lines=[row("dollars", AT, cost=0.25)], graph=graph) as plane:
        load_portkey(home, plane.url, cost_unit="usd", instance=DOLLARS)
    declare_tables(home)
    build(home, select=["path:models/staging/portkey"])
    return home


@pytest.fixture(scope="module")
def events(home: Path) -> dict[str, Event]:
    """Standard events by the end of their id, or by the name of a made-up row."""
    found = [
        event
        for event in events_of(home, "staging.stg_portkey__log_exports")
        if event["source_instance"] == PORTKEY
    ]
    assert len(found) == 6 + 3 + len(MADE_UP)
    return {event["source_record_id"].rpartition("-8ccc-")[2]: event for event in found}


def test_units_are_all_input_and_all_output(events: dict[str, Event]) -> None:
    assert {name: buckets(events[name]) for name in events if name not in MADE_UP} == {
        PLAIN: {"input": 1_200, "output": 340},
        FAILED: {},
        WINNER: {"input": 9_620, "output": 410},
        HIT: {"input": 1_200, "output": 340},
        EMBEDDING: {"input": 1_200},
        UNPRICED: {"input": 1_200, "output": 340},
        # The metric store writes counts as 1200.0.
        STORED: {"input": 1_200, "output": 340},
        STORED_HIT: {"input": 1_200, "output": 340},
        STORED_FAILURE: {"input": 1_200, "output": 340},
    }
    assert {event["token_convention"] for event in events.values()} == {"total"}


def test_totals_are_those_of_the_buckets_and_a_difference_is_told(
    events: dict[str, Event],
) -> None:
    winner = events[WINNER]
    assert (winner["total_input_tokens"], winner["total_output_tokens"]) == (9_620, 410)
    mismatches = {name: event["total_mismatch_tokens"] for name, event in events.items()}
    # 150 told, 100 + 10 counted; without a total there is nothing to compare.
    assert {name: count for name, count in mismatches.items() if count != 0} == {
        "totals differ": 40,
        "no total": None,
    }


def test_cents_become_dollars_and_a_served_call_for_nothing_is_no_claim(
    events: dict[str, Event],
) -> None:
    assert {name: event["reported_cost_usd"] for name, event in events.items()} == {
        PLAIN: Decimal("0.000384"),
        FAILED: 0,
        WINNER: Decimal("0.01566"),
        # A cache hit and a model without a price look the same in an export.
        HIT: None,
        EMBEDDING: Decimal("0.000024"),
        UNPRICED: None,
        STORED: Decimal("0.000384"),
        # The store says that it was a hit.
        STORED_HIT: 0,
        STORED_FAILURE: 0,
        **dict.fromkeys(MADE_UP, Decimal("0.000021")),
        "free of tokens": 0,
        "failure that cost": Decimal("0.005"),
        "failure with tokens": 0,
        "no cost": None,
        "euro": None,
        "tiny": Decimal("0.00000000000001"),
    }


def test_each_attempt_is_an_event_of_one_trace(events: dict[str, Event]) -> None:
    attempts = [events[name] for name in (PLAIN, FAILED, WINNER)]
    assert {event["trace_id"] for event in attempts} == {"trace-syn-1"}
    assert len({event["usage_key"] for event in attempts}) == 3
    assert [event["status"] for event in attempts] == ["ok", "error", "ok"]
    assert len({event["usage_key"] for event in events.values()}) == len(events)


def test_models_providers_and_operations(events: dict[str, Event]) -> None:
    told = {
        name: (event["provider"], event["model_served"], event["operation"])
        for name, event in events.items()
    }
    assert told[WINNER] == ("anthropic", "claude-sonnet-4-5", "chat")
    assert told[EMBEDDING] == ("openai", "text-embedding-3-small", "embeddings")
    # A model of one's own may have no name.
    assert told[UNPRICED] == ("self_hosted", None, "chat")
    assert told["azure"] == ("azure_openai", "gpt-4o-mini", "chat")
    assert told["gemini"][2] == "generate_content"
    assert told["text"][2] == "text_completion"
    hits = {name for name, event in events.items() if event["is_gateway_cache_hit"]}
    assert hits == {STORED_HIT}


def test_who_is_told_by_metadata(events: dict[str, Event]) -> None:
    def who(name: str) -> dict[str, str]:
        return {
            key.removeprefix("raw_"): value
            for key, value in events[name].items()
            if key.startswith("raw_") and value is not None
        }

    assert who(PLAIN) == {
        "workspace": "ws-main",
        "team": "checkout",
        "user": "user-syn-1",
        "customer": "cust-12",
    }
    # The metric store names the key, and writes metadata as two lists.
    assert who(STORED) == {
        "workspace": "ws-main",
        "team": "checkout",
        "customer": "cust-12",
        "organization": "aaaaaaaa-2222-4333-8444-555555555555",
        "key_hash": "dddddddd-2222-4333-8444-555555555555",
    }
    assert who("by session") == {
        "workspace": "ws-main",
        "user": "ada",
        "agent": "triage",
        "application": "web",
        "feature": "chat",
    }
    assert events["by session"]["session_id"] == "sess-7"
    assert events[PLAIN]["session_id"] == "trace-syn-1"
    tags = '{"_user":"user-syn-1","customer":"cust-12","team":"checkout"}'
    assert events[PLAIN]["tags"] == tags
    # What is no text is no tag.
    assert "count" not in events["by session"]["tags"]


def test_times_and_origin(events: dict[str, Event]) -> None:
    event = events[PLAIN]
    assert event["occurred_at"] == datetime(2026, 11, 20, 9, 14, 2, 113_000)  # noqa: DTZ001
    assert event["loaded_at"] == READ_AT.replace(tzinfo=None)
    assert (event["latency_ms"], event["attempt"]) == (1_830, 1)
    told = {
        tuple(event[name] for name in (
            "source", "source_instance", "evidence_layer", "fidelity", "usage_origin",
            "reported_cost_basis", "is_informational", "is_removed",
        ))
        for event in events.values()
    }  # fmt: skip
    assert told == {
        ("portkey", "portkey-main", "gateway", "per_request", "event", "estimated", False, False)
    }


def test_what_a_day_cost_is_in_dollars(home: Path) -> None:
    days = events_of(home, "staging.stg_portkey__analytics_cost")
    [day] = [day for day in days if day["source_instance"] == PORTKEY]
    # 157 cents.
    assert (str(day["usage_on"]), day["reported_cost_usd"]) == ("2026-11-20", Decimal("1.57"))
    assert (day["raw_workspace"], day["data_points_count"]) == ("ws-main", 2)


def test_limits_of_keys_are_dollars_as_they_stand(home: Path) -> None:
    keys = {key["raw_key_hash"]: key for key in events_of(home, "staging.stg_portkey__keys")}
    told = {
        name: tuple(key[column] for column in (
            "key_status", "limit_type", "limit_usd", "alert_threshold_usd", "limit_units",
            "periodic_reset", "periodic_reset_days",
        ))
        for name, key in keys.items()
    }  # fmt: skip
    assert told == {
        "dddddddd-2222-4333-8444-555555555555": (
            "exhausted", "cost", 100, 80, None, "monthly", None,
        ),
        "by tokens": ("active", "tokens", None, None, 5_000, None, 30),
        "unlimited": ("exhausted", None, None, None, None, None, None),
    }  # fmt: skip
    first = keys["dddddddd-2222-4333-8444-555555555555"]
    assert (first["raw_key_alias"], first["raw_team"]) == ("checkout-prod", "checkout")
    assert first["rate_limits_json"] == '[{"type":"requests","unit":"rpm","value":100}]'
    assert keys["unlimited"]["rate_limits_json"] is None


def test_a_workspace_that_counts_in_dollars_says_so(home: Path) -> None:
    for model in ("log_exports", "analytics_cost"):
        found = events_of(home, f"staging.stg_portkey__{model}")
        costs = [row["reported_cost_usd"] for row in found if row["source_instance"] == DOLLARS]
        assert costs == [Decimal("0.25")]
