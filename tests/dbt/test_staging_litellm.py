"""LiteLLM's spend logs as standard events: counts are inclusive, and zero is no price.

The expected values are worked out by hand from the recorded page, and from calls made up here.
"""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from raw_loads import FIXTURES, NOW, load_spend_logs
from spend_log_server import call, spend_log_server
from staged_warehouse import Event, buckets, build, events_of

from ingestion.declared_tables import declare_tables

CALL, HIT, STREAM = "f550ae04", "f32f6972", "3cc92910"
FAILURE, EMBEDDING, UNKNOWN = "5ab85703", "5c466958", "98305e05"
FALLBACK, CACHED = "71948e83", "9c0e4d52"
MADE_UP = {
    "unpriced": {"model": "acme-internal-7b", "spend": 0},
    "free of tokens": {"prompt_tokens": 0, "completion_tokens": 0, "spend": 0},
    "image": {
        "call_type": "aimage_generation", "prompt_tokens": 0, "completion_tokens": 0, "spend": 0.04,
    },
    "failure that cost": {"status": "failure", "spend": 0.002},
    "unsplit write, other": {
        "custom_llm_provider": "anthropic", "prompt_tokens": 1_000,
        "metadata": {"usage_object": {"cache_creation_input_tokens": 600}},
    },
    "unsplit write, OpenAI": {
        "prompt_tokens": 1_000,
        "metadata": {"usage_object": {"prompt_tokens_details": {"cache_creation_tokens": 600}}},
    },
    "half split write": {
        "custom_llm_provider": "anthropic", "prompt_tokens": 1_000,
        "metadata": {"usage_object": {"prompt_tokens_details": {
            "cached_tokens": 300, "cache_creation_tokens": 600,
            "cache_creation_token_details": {"ephemeral_1h_input_tokens": 100},
        }}},
    },
    "audio and image": {
        "prompt_tokens": 100, "completion_tokens": 50,
        "metadata": {"usage_object": {
            "prompt_tokens_details": {"audio_tokens": 30, "image_tokens": 20, "cached_tokens": 10},
            "completion_tokens_details": {"audio_tokens": 15, "reasoning_tokens": 5},
        }},
    },
    "cached beyond the prompt": {
        "prompt_tokens": 100,
        "metadata": {"usage_object": {"prompt_tokens_details": {"cached_tokens": 130}}},
    },
    "no details": {
        "metadata": {"usage_object": {
            "prompt_tokens_details": None, "completion_tokens_details": None,
        }},
    },
    "by tags": {"request_tags": [
        "team=team-search", "user=ada@acme.example", "customer=northwind", "agent=triage",
        "app=web", "feature=chat", "User-Agent: curl",
    ]},
    "fields before tags": {
        "team_id": "team-sales", "user": "", "end_user": "contoso",
        "request_tags": ["team=team-search", "user=ada", "customer=northwind"],
    },
    "retried": {"metadata": {"attempted_retries": 2}},
}  # fmt: skip


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Event]:
    """Standard events by the start of their call id, or by the name of a made-up call."""
    home: Path = tmp_path_factory.mktemp("home")
    page = FIXTURES / "litellm" / "spend_logs_v2_page1.json"
    rows = json.loads(page.read_text(encoding="utf-8"))["data"]
    rows += [call(0, litellm_call_id=name, **fields) for name, fields in MADE_UP.items()]
    with spend_log_server(rows) as log:
        load_spend_logs(home, log.url)
    declare_tables(home)
    build(home, select=["path:models/staging/litellm"])
    found = events_of(home, "staging.stg_litellm__spend_logs")
    assert len(found) == 8 + len(MADE_UP)
    return {
        name if name in MADE_UP else name[:8]: event
        for event in found
        for name in [event["source_record_id"]]
    }


def test_counts_are_parted_into_disjoint_buckets(events: dict[str, Event]) -> None:
    assert {name: buckets(events[name]) for name in events if name not in MADE_UP} == {
        CALL: {"input": 10, "output": 20},
        HIT: {"input": 10, "output": 20},
        STREAM: {"input": 9, "output": 20},
        FAILURE: {"input": 8},
        EMBEDDING: {"input": 10},
        UNKNOWN: {},
        FALLBACK: {"input": 9, "output": 20},
        # 9,620 in of which 8,000 read, 1,000 and 500 written; 410 out of which 128 reasoned.
        CACHED: {
            "input": 120,
            "cache_read": 8_000,
            "cache_write_5m": 1_000,
            "cache_write_1h": 500,
            "output": 282,
            "reasoning": 128,
        },
    }


def test_totals_are_those_of_the_buckets(events: dict[str, Event]) -> None:
    cached = events[CACHED]
    assert (cached["total_input_tokens"], cached["total_output_tokens"]) == (9_620, 410)
    # LiteLLM says 0 for embeddings.
    assert events[EMBEDDING]["total_tokens"] == 10
    mismatches = {n: e["total_mismatch_tokens"] for n, e in events.items()}
    assert {name: count for name, count in mismatches.items() if count} == {
        "cached beyond the prompt": -30
    }


def test_writes_of_unknown_lifetime_are_the_default_of_their_provider(
    events: dict[str, Event],
) -> None:
    assert buckets(events["unsplit write, other"]) == {
        "input": 400, "cache_write_5m": 600, "output": 10,
    }  # fmt: skip
    assert buckets(events["unsplit write, OpenAI"]) == {
        "input": 400, "cache_write_30m": 600, "output": 10,
    }  # fmt: skip
    assert buckets(events["half split write"]) == {
        "input": 100, "cache_read": 300, "cache_write_5m": 500, "cache_write_1h": 100, "output": 10,
    }  # fmt: skip


def test_audio_and_images_are_buckets_of_their_own(events: dict[str, Event]) -> None:
    assert buckets(events["audio and image"]) == {
        "input": 40, "cache_read": 10, "audio_input": 30, "image_input": 20,
        "output": 30, "reasoning": 5, "audio_output": 15,
    }  # fmt: skip


def test_no_bucket_falls_below_zero(events: dict[str, Event]) -> None:
    assert buckets(events["cached beyond the prompt"]) == {"cache_read": 130, "output": 10}
    assert buckets(events["no details"]) == {"input": 100, "output": 10}


def test_the_claim_is_the_spend_and_a_served_call_for_nothing_is_no_claim(
    events: dict[str, Event],
) -> None:
    assert {name: event["reported_cost_usd"] for name, event in events.items()} == {
        CALL: Decimal("0.0000135"),
        HIT: 0,
        STREAM: Decimal("0.00049"),
        FAILURE: 0,
        EMBEDDING: Decimal("0.0000002"),
        # The proxy refused the model's name: nothing was served.
        UNKNOWN: 0,
        FALLBACK: Decimal("0.00001335"),
        CACHED: Decimal("0.01566"),
        **dict.fromkeys(MADE_UP, Decimal("0.001")),
        # Tokens were served, and the proxy knew no price.
        "unpriced": None,
        "free of tokens": 0,
        "image": Decimal("0.04"),
        "failure that cost": Decimal("0.002"),
    }


def test_outcome_and_cache_hits_are_told(events: dict[str, Event]) -> None:
    failed = {name for name, event in events.items() if event["status"] == "error"}
    assert failed == {FAILURE, UNKNOWN, "failure that cost"}
    assert [name for name, event in events.items() if event["is_gateway_cache_hit"]] == [HIT]
    assert {name for name, event in events.items() if event["attempt"] != 1} == {"retried"}
    assert events["retried"]["attempt"] == 3


def test_models_and_operations_have_their_standard_names(events: dict[str, Event]) -> None:
    told = {
        name: (
            event["provider"],
            event["model_requested"],
            event["model_served"],
            event["operation"],
        )
        for name, event in events.items()
        if name not in MADE_UP
    }
    assert told == {
        CALL: ("openai", "mock-gpt", "gpt-4o-mini", "chat"),
        HIT: ("openai", "mock-gpt", "gpt-4o-mini", "chat"),
        STREAM: ("openai", "mock-custom", "acme-custom-1", "chat"),
        FAILURE: ("openai", "mock-fail", "gpt-4o-mini", "chat"),
        EMBEDDING: ("openai", "mock-embed", "text-embedding-3-small", "embeddings"),
        UNKNOWN: (None, None, "unknown-model", "chat"),
        FALLBACK: ("openai", "mock-gpt", "gpt-4o-mini", "chat"),
        CACHED: ("anthropic", "claude-sonnet", "claude-sonnet-4-5-20250929", "chat"),
    }
    assert events["image"]["operation"] == "image"


def test_who_is_told_by_fields_and_by_tags_where_a_field_is_empty(events: dict[str, Event]) -> None:
    def who(name: str) -> dict[str, str]:
        told = {
            key.removeprefix("raw_"): value
            for key, value in events[name].items()
            if key.startswith("raw_") and value is not None
        }
        return {key: value for key, value in told.items() if not key.startswith("key_")}

    assert who(CACHED) == {
        "organization": "org-syn-1",
        "team": "team-syn-1",
        "user": "user-syn-1",
        "customer": "cust-12",
        "agent": "agent-syn-9",
        "feature": "a",
    }
    assert who(STREAM) == {"team": "team-syn-1", "user": "user-syn-1"}
    assert who("by tags") == {
        "team": "team-search",
        "user": "ada@acme.example",
        "customer": "northwind",
        "agent": "triage",
        "application": "web",
        "feature": "chat",
    }
    assert who("fields before tags") == {
        "team": "team-sales",
        "user": "ada",
        "customer": "contoso",
    }


def test_the_key_is_its_hash_and_its_alias(events: dict[str, Event]) -> None:
    event = events[CALL]
    assert event["raw_key_alias"] == "checkout-key"
    assert event["raw_key_hash"] == (
        "841953e6e0111fd0b29505044023674944671e3b35699b6adb10d71ceccde853"
    )


def test_tags_are_kept_without_the_browsers(events: dict[str, Event]) -> None:
    assert (
        events[CALL]["tags"]
        == '{"feat-a":"true","feature":"a","kt":"true","t1":"true","t2":"true"}'
    )
    assert events[CACHED]["tags"] == '{"env:prod":"true","feature":"a","feature:refund-bot":"true"}'
    assert not [name for name, event in events.items() if "User-Agent" in (event["tags"] or "")]


def test_times_are_utc_and_durations_milliseconds(events: dict[str, Event]) -> None:
    event = events[CACHED]
    assert event["occurred_at"] == datetime(2026, 11, 20, 9, 14, 2, 113_000)  # noqa: DTZ001
    assert str(event["usage_on"]) == "2026-11-20"
    assert event["loaded_at"] == NOW.replace(tzinfo=None)
    # 8,214 as logged; first token at :03.020, asked at :02.113.
    assert (event["latency_ms"], event["ttft_ms"]) == (8_214, 907)


def test_an_event_says_where_it_comes_from(events: dict[str, Event]) -> None:
    told = {
        tuple(event[name] for name in (
            "source", "source_instance", "evidence_layer", "fidelity", "usage_origin",
            "token_convention", "reported_cost_basis", "is_informational",
        ))
        for event in events.values()
    }  # fmt: skip
    assert told == {
        (
            "litellm",
            "litellm-main",
            "gateway",
            "per_request",
            "event",
            "inclusive",
            "estimated",
            False,
        )
    }
    assert len({event["usage_key"] for event in events.values()}) == len(events)
    assert events[CALL]["session_id"] == "sess-1"
