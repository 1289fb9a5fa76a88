"""Helicone's requests as standard events: columns are buckets, zero is no price, the newest counts.

The expected values are worked out by hand from the vendor's page, and from rows made up here.
"""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from helicone_server import READ_AT, helicone_server, load_helicone, request, rows_of_page
from staged_warehouse import Event, buckets, build, events_of

from ingestion.declared_tables import declare_tables
from ingestion.passes import begin_pass

OPENAI, ANTHROPIC, HIT, LIMITED, CUSTOM = (f"00000000000{n}" for n in range(1, 6))
HIT_ID = "018f3c2a-0001-7000-8000-000000000001"
MADE_UP = {
    "old inclusive": {"prompt_cache_read_tokens": 600},
    "OpenAI write": {"prompt_cache_write_tokens": 50},
    "hit with tokens": {"cost": 0, "cache_reference_id": HIT_ID},
    "hit that cost": {"cost": 0.002, "cache_reference_id": HIT_ID},
    "unpriced": {"cost": 0},
    "only cached": {
        "cost": 0, "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0,
        "prompt_cache_read_tokens": 5,
    },
    "free of tokens": {"cost": 0, "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    "no counts": {
        "cost": 0, "prompt_tokens": None, "completion_tokens": None, "total_tokens": None,
    },
    "failure that cost": {"response_status": 500, "cost": 0.001},
    "cancelled": {"response_status": -3, "cost": 0},
    "no status": {"response_status": None},
    "totals differ": {"total_tokens": 1_200},
    "no target": {"provider": "CUSTOM", "target_url": ""},
    "embedding": {"target_url": "https://api.openai.com/v1/embeddings"},
    "by properties": {"request_user_id": "", "properties": {
        "user": "ada", "customer": "northwind", "agent": "triage", "app": "web", "feature": "chat",
        "litellm_call_id": "call-9", "count": 3,
    }},
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the vendor's page, as it was first and as it was restated."""
    home: Path = tmp_path_factory.mktemp("home")
    made_up = [request(name, **fields) for name, fields in MADE_UP.items()]
    # Two versions of a request in one page, the newer one first.
    twice = [request("twice", updated_at=f"2026-11-20T11:00:0{n}.000Z", cost=n) for n in (9, 3)]
    with helicone_server(rows_of_page("query_clickhouse_page1.json") + made_up + twice) as log:
        load_helicone(home, log.url)
        log.rows = [*rows_of_page("query_clickhouse_restated.json"), *made_up, *twice]
        load_helicone(home, log.url)
    declare_tables(home)
    begin_pass(home, as_of=READ_AT)
    build(home, select=["path:models/staging/helicone", "+int_usage__versions"])
    return home


@pytest.fixture(scope="module")
def versions(home: Path) -> list[Event]:
    """Every version of every request."""
    return events_of(home, "staging.stg_helicone__requests")


@pytest.fixture(scope="module")
def events(versions: list[Event]) -> dict[str, Event]:
    """The first version by the end of its id, or by the name of a made-up row."""
    oldest = sorted(versions, key=lambda event: event["richness"], reverse=True)
    return {event["source_record_id"].rpartition("-8000-")[2]: event for event in oldest}


def test_columns_are_buckets(events: dict[str, Event]) -> None:
    assert {name: buckets(events[name]) for name in (OPENAI, ANTHROPIC, HIT, LIMITED, CUSTOM)} == {
        OPENAI: {"input": 900, "cache_read": 300, "output": 180},
        ANTHROPIC: {"input": 300, "cache_read": 8_000, "cache_write_5m": 5_000, "output": 420},
        HIT: {},
        LIMITED: {},
        CUSTOM: {"input": 900, "output": 180},
    }
    # 600 of the 900 may be those read from the cache: nothing tells.
    assert buckets(events["old inclusive"]) == {"input": 900, "cache_read": 600, "output": 180}
    assert buckets(events["OpenAI write"]) == {
        "input": 900, "cache_write_30m": 50, "output": 180,
    }  # fmt: skip
    assert buckets(events["no counts"]) == {}
    assert {event["token_convention"] for event in events.values()} == {"helicone_auto"}


def test_the_total_is_that_of_prompt_and_completion(events: dict[str, Event]) -> None:
    assert events[ANTHROPIC]["total_input_tokens"] == 13_300
    mismatches = {name: event["total_mismatch_tokens"] for name, event in events.items()}
    assert {name: count for name, count in mismatches.items() if count != 0} == {
        "totals differ": 120,
        "no counts": None,
    }


def test_the_claim_is_helicones_cost_and_a_served_call_for_nothing_is_no_claim(
    events: dict[str, Event],
) -> None:
    told = {name: event["reported_cost_usd"] for name, event in events.items() if name != "twice"}
    assert told == {
        OPENAI: Decimal("0.000678"),
        ANTHROPIC: Decimal("0.02835"),
        HIT: 0,
        LIMITED: 0,
        CUSTOM: None,
        **dict.fromkeys(MADE_UP, Decimal("0.000648")),
        "hit with tokens": 0,
        "hit that cost": Decimal("0.002"),
        "unpriced": None,
        "only cached": None,
        "free of tokens": 0,
        "no counts": None,
        "failure that cost": Decimal("0.001"),
        "cancelled": 0,
    }


def test_outcome_and_cache_hits_are_told(events: dict[str, Event]) -> None:
    failed = {name for name, event in events.items() if event["status"] == "error"}
    assert failed == {LIMITED, "failure that cost", "cancelled"}
    hits = {name for name, event in events.items() if event["is_gateway_cache_hit"]}
    assert hits == {HIT, "hit with tokens", "hit that cost"}


def test_providers_models_and_operations(events: dict[str, Event]) -> None:
    told = {
        name: (event["provider"], event["model_served"], event["operation"])
        for name, event in events.items()
    }
    assert told[OPENAI] == ("openai", "gpt-4.1-mini", "chat")
    assert told[ANTHROPIC] == ("anthropic", "claude-sonnet-4-5-20250929", "chat")
    assert told[CUSTOM] == ("llm.internal.example", "acme-private-7b", "chat")
    assert told["no target"][0] == "custom"
    assert told["embedding"][2] == "embeddings"


def test_who_is_told_by_the_user_and_by_properties(events: dict[str, Event]) -> None:
    def who(name: str) -> dict[str, str]:
        return {
            key.removeprefix("raw_"): value
            for key, value in events[name].items()
            if key.startswith("raw_") and value is not None
        }

    assert who(OPENAI) == {"user": "user-17", "team": "support", "customer": "cust_acme"}
    assert who(LIMITED) == {}
    assert who("by properties") == {
        "user": "ada",
        "customer": "northwind",
        "agent": "triage",
        "application": "web",
        "feature": "chat",
    }
    assert events[OPENAI]["session_id"] == "sess-88"
    tags = '{"Helicone-Session-Id":"sess-88","customer_id":"cust_acme","team":"support"}'
    assert events[OPENAI]["tags"] == tags
    assert events["by properties"]["request_id"] == "call-9"
    assert events[OPENAI]["request_id"] == events[OPENAI]["source_record_id"]


def test_the_newest_change_of_a_request_counts(home: Path, versions: list[Event]) -> None:
    kept = {
        (version["usage_key"], version["load_id"], version["source_locator"])
        for version in events_of(home, "intermediate.int_usage__versions")
    }
    counted = {
        event["source_record_id"].rpartition("-8000-")[2]: event
        for event in versions
        if (event["usage_key"], event["load_id"], event["source_locator"]) in kept
    }
    assert len(kept) == len(counted) == 5 + len(MADE_UP) + 1
    assert counted["twice"]["reported_cost_usd"] == 9
    assert counted[OPENAI]["reported_cost_usd"] == Decimal("0.00068")
    assert counted[OPENAI]["raw_team"] == "search"


def test_times_and_origin(events: dict[str, Event]) -> None:
    event = events[ANTHROPIC]
    assert event["occurred_at"] == datetime(2026, 11, 20, 10, 1)  # noqa: DTZ001
    assert event["loaded_at"] == READ_AT.replace(tzinfo=None)
    assert (event["latency_ms"], event["ttft_ms"]) == (2_100, 310)
    told = {
        tuple(event[name] for name in (
            "source", "source_instance", "evidence_layer", "fidelity", "usage_origin",
            "reported_cost_basis", "is_informational", "is_removed",
        ))
        for event in events.values()
    }  # fmt: skip
    assert told == {
        (
            "helicone", "helicone-main", "observability", "per_request", "event", "estimated",
            False, False,
        )
    }  # fmt: skip
