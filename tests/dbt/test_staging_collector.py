"""Pushed events, spans and LiteLLM's logs as standard events; a correction, and a call seen twice.

The expected values are worked out by hand from the recorded payloads, and from events made up here.
"""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from collector_service import LITELLM_TOKEN, OTEL_TOKEN, collector, drain, event
from raw_loads import FIXTURES, NOW, load_spend_logs
from spend_log_server import spend_log_server
from staged_warehouse import Event, buckets, build, events_of

from ingestion.declared_tables import declare_tables
from ingestion.passes import begin_pass

DISJOINT = {"token_convention": "disjoint"}
SPLIT = {"cached_tokens": 300, "cache_write_tokens": 200, "reasoning_tokens": 50}
MADE_UP = {
    "plain": {},
    "inclusive": SPLIT,
    "disjoint": SPLIT | DISJOINT,
    "anthropic": SPLIT | {"provider": "anthropic", "cache_write_1h_tokens": 150},
    "beyond": {"cached_tokens": 1_100},
    "heard": {"audio_input_tokens": 400, "audio_output_tokens": 150},
    "images": {"input_tokens": None, "output_tokens": None, "unit": "images", "quantity": "3",
               "reported_cost": "0.12"},
    "for nothing": {"reported_cost": 0},
    "claimed": {"reported_cost": 0.5},
    "aggregate": {"fidelity": "aggregate", "evidence_layer": "saas"},
    "failed": {"status": "failed"},
    "who": {
        "raw_organization": "org", "raw_workspace": "ws", "raw_team": "t", "raw_user": "u",
        "agent_id": "ag", "raw_application": "app", "raw_feature": "f", "session_id": "s",
        "request_id": "r", "trace_id": "tr", "region": "eu", "service_tier": "flex",
        "raw_key": "sk-a-key-that-ends-wxyz", "tags": {"team": "other", "x": "y"},
    },
    "tagged": {"tags": [
        "team=t", "user=u", "customer=never", "agent=ag", "application=app", "feature=f",
    ]},
}  # fmt: skip
FIXED = "traces_semconv_1_41 traces_semconv_genai_latest_cache_write traces_legacy_1_36"
SPAN_FILES = [
    *FIXED.split(), "traces_nonconforming_input_excludes_cache", "traces_openrouter_broadcast",
    "traces_agent_rollup_double_count_trap", "traces_litellm_otel_v2",
    "traces_mixed_valid_and_invalid",
]  # fmt: skip
BOTH = "f550ae04-c89a-4961-82cd-4c03943b45fa"
PUSHED_ONLY = "5c466958-07b7-4417-bcce-6eb9573b6ee6"


def span(number: int, trace: int, **attributes: Any) -> dict[str, Any]:
    values = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 100} | {
        name.replace("__", "."): value for name, value in attributes.items()
    }
    return {
        "traceId": f"{trace:032x}", "spanId": f"{number:016x}", "kind": 3, "name": "a span",
        "startTimeUnixNano": "1791190800000000000", "endTimeUnixNano": "1791190801500000000",
        "attributes": [
            {"key": name, "value": {"intValue" if isinstance(v, int) else "stringValue": v}}
            for name, v in values.items() if v is not None
        ],
    }  # fmt: skip


AGENT = {"gen_ai__operation__name": "invoke_agent"}
UNCOUNTED = {"gen_ai__usage__input_tokens": None}
MADE_UP_SPANS = [
    span(0xA0, 100), span(0xA1, 100, **AGENT), span(0xA2, 101, **AGENT),
    span(0xA3, 102, **UNCOUNTED),
    span(0xA4, 103, gen_ai__usage__output_tokens=50, gen_ai__usage__audio__input_tokens=30,
         gen_ai__usage__image__input_tokens=20, gen_ai__usage__reasoning_tokens=10),
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of the above, pushed, drained and staged; one call of LiteLLM is pulled as well."""
    home: Path = tmp_path_factory.mktemp("home")
    logs = json.loads((FIXTURES / "litellm" / "generic_api_batch.json").read_text(encoding="utf-8"))
    page = FIXTURES / "litellm" / "spend_logs_v2_page1.json"
    pulled = json.loads(page.read_text(encoding="utf-8"))["data"]
    apart = {"resourceSpans": [{"scopeSpans": [{"spans": [
        span(0xB0, 200, gen_ai__usage__cache_read__input_tokens=40)
    ]}]}]}  # fmt: skip
    inbox = home / "inbox" / "other"
    inbox.mkdir(parents=True)
    (inbox / "a.ndjson").write_text(json.dumps(event("dropped")), encoding="utf-8")
    with (
        collector(home) as service,
        spend_log_server(
            [each for each in pulled if each["litellm_call_id"] != PUSHED_ONLY]
        ) as log,
    ):
        service.post("/v1/events", [event(name, **facts) for name, facts in MADE_UP.items()])
        corrected = event("corrected", output_tokens=1) | {"timestamp": "2026-11-24T11:00:00Z"}
        service.post("/v1/events", [corrected, event("corrected in one", output_tokens=1)])
        service.post("/v1/events", [event("corrected in one", output_tokens=2)])
        for name in SPAN_FILES:
            body = (FIXTURES / "otel" / f"{name}.json").read_bytes()
            service.post("/v1/traces", body, token=OTEL_TOKEN)
        spans = {"resourceSpans": [{"scopeSpans": [{"spans": MADE_UP_SPANS}]}]}
        service.post("/v1/traces", spans, token=OTEL_TOKEN)
        service.post("/v1/traces", apart, token="tok-apart")
        load_spend_logs(home, log.url)
        service.post("/litellm", logs, token=LITELLM_TOKEN)
        drain(home)
        # Earlier by its own time, and still the last word.
        service.post("/v1/events", [event("corrected", output_tokens=2)])
    drain(home, minutes=1)
    declare_tables(home)
    begin_pass(home, as_of=NOW)
    build(home, select=["path:models/staging/collector", "+int_usage__versions"])
    return home


@pytest.fixture(scope="module")
def events(home: Path) -> dict[str, Event]:
    return {
        each["source_record_id"]: each for each in events_of(home, "staging.stg_collector__events")
    }


@pytest.fixture(scope="module")
def spans(home: Path) -> dict[str, Event]:
    """By the last digits of their span id."""
    return {
        each["source_record_id"].partition(":")[2].lstrip("0"): each
        for each in events_of(home, "staging.stg_collector__spans")
    }


def test_events_are_counted_inclusively_unless_they_say_otherwise(
    events: dict[str, Event],
) -> None:
    assert {name: buckets(events[name]) for name in list(MADE_UP)[:7]} == {
        "plain": {"input": 1_000, "output": 200},
        # 1,000 in of which 300 read and 200 written, for 30 minutes at OpenAI; 50 of 200 reasoned.
        "inclusive": {
            "input": 500, "cache_read": 300, "cache_write_30m": 200, "output": 150, "reasoning": 50,
        },
        "disjoint": {
            "input": 1_000, "cache_read": 300, "cache_write_30m": 200,
            "output": 200, "reasoning": 50,
        },
        # 150 of the 200 written are said to last an hour; what is left lasts 5 minutes.
        "anthropic": {
            "input": 500, "cache_read": 300, "cache_write_5m": 50, "cache_write_1h": 150,
            "output": 150, "reasoning": 50,
        },
        "beyond": {"cache_read": 1_100, "output": 200},
        "heard": {"input": 600, "audio_input": 400, "output": 50, "audio_output": 150},
        "images": {},
    }  # fmt: skip
    mismatches = {name: each["total_mismatch_tokens"] for name, each in events.items()}
    assert {name: count for name, count in mismatches.items() if count != 0} == {
        "beyond": -100,
        # Neither says a total that the buckets could be held against.
        "disjoint": None,
        "images": None,
    }


def test_a_claim_of_nothing_for_tokens_is_none(events: dict[str, Event]) -> None:
    assert {
        name: (each["reported_cost_usd"], each["unit"], each["quantity"])
        for name, each in events.items()
        if each["reported_cost_basis"] == "estimated"
    } == {
        "images": (Decimal("0.12"), "images", 3),
        "for nothing": (None, None, None),
        "claimed": (Decimal("0.5"), None, None),
    }


def test_an_event_says_where_it_comes_from(events: dict[str, Event]) -> None:
    def told(name: str) -> tuple[Any, ...]:
        columns = "source source_instance evidence_layer fidelity usage_origin status"
        return tuple(events[name][column] for column in columns.split())

    assert told("plain") == ("collector", "app", "observability", "per_request", "event", "ok")
    assert told("aggregate") == ("collector", "app", "saas", "aggregate", "bucket", "ok")
    assert told("failed") == ("collector", "app", "observability", "per_request", "event", "error")
    # The evidence of the folder's source.
    assert told("dropped") == ("collector", "other", "saas", "per_request", "event", "ok")
    assert events["plain"]["occurred_at"] == datetime(2026, 11, 24, 10)  # noqa: DTZ001


def test_who_is_told_by_fields_and_by_tags_where_a_field_is_empty(events: dict[str, Event]) -> None:
    def who(name: str) -> dict[str, Any]:
        told = {
            column.removeprefix("raw_"): value
            for column, value in events[name].items()
            if column.startswith("raw_") and value is not None and column != "raw_key_hash"
        }
        return told

    assert who("plain") == {"customer": "northwind"}
    assert who("who") == {
        "organization": "org", "workspace": "ws", "team": "t", "user": "u", "customer": "northwind",
        "agent": "ag", "application": "app", "feature": "f", "key_alias": "...wxyz",
    }  # fmt: skip
    assert who("tagged") == {
        "team": "t", "user": "u", "customer": "northwind", "agent": "ag", "application": "app",
        "feature": "f",
    }  # fmt: skip
    found = events["who"]
    assert len(found["raw_key_hash"]) == 64
    assert [found[name] for name in ("session_id", "request_id", "trace_id", "region")] == [
        "s", "r", "tr", "eu",
    ]  # fmt: skip
    assert (found["service_tier"], found["tags"]) == ("flex", '{"team":"other","x":"y"}')


def test_spans_of_three_generations_are_parted_into_disjoint_buckets(
    spans: dict[str, Event],
) -> None:
    parted = {
        "input": 300, "cache_read": 800, "cache_write_30m": 100, "output": 180, "reasoning": 120,
    }  # fmt: skip
    plain = {"input": 1_200, "output": 300}
    assert {name: buckets(each) for name, each in spans.items() if len(name) == 1} == {
        "1": parted,
        "2": parted,
        "3": plain,
        # 12 in, 14,000 read, 2,000 written: this emitter keeps its cache apart.
        "4": {"input": 12, "cache_read": 14_000, "cache_write_5m": 2_000, "output": 90},
        # Of the agent's trace its two calls alone.
        "6": plain,
        "7": plain,
        "9": plain,
        # 16,012 in contain 14,000 read and 2,000 written.
        "a": {"input": 12, "cache_read": 14_000, "cache_write_5m": 2_000, "output": 90},
        "b": plain,
    }
    conventions = {name: each["token_convention"] for name, each in spans.items()}
    assert {name: said for name, said in conventions.items() if said != "inclusive"} == {
        "4": "input_excludes_cache",
        "b0": "disjoint",
    }
    assert buckets(spans["b0"]) == {"input": 100, "cache_read": 40}
    assert buckets(spans["a4"]) == {
        "input": 50, "audio_input": 30, "image_input": 20, "output": 40, "reasoning": 10,
    }  # fmt: skip


def test_a_span_says_what_was_called_and_for_whom(spans: dict[str, Event]) -> None:
    first, gateway, broadcast = spans["1"], spans["a"], spans["9"]
    assert [first[name] for name in (
        "source", "source_instance", "provider", "model_requested", "model_served", "operation",
        "request_id", "session_id", "raw_user", "raw_application", "latency_ms",
    )] == [
        "otel", "tracer", "openai", "demo-model-a", "demo-model-a-2026-08-01", "chat",
        "resp-synthetic-1", "conv-1", "u-1", "demo-app", 2_000,
    ]  # fmt: skip
    # 1,791,190,800 s after 1970 is 2026-10-05 09:00 UTC.
    assert first["occurred_at"] == datetime(2026, 10, 5, 9)  # noqa: DTZ001
    assert first["source_record_id"] == f"{1:032x}:{1:016x}"
    assert [gateway[name] for name in (
        "request_id", "raw_team", "raw_customer", "raw_key_hash", "reported_cost_usd",
    )] == [
        "call-synthetic-8", "team_search", "cust_0042", "hash-synthetic", Decimal("0.0131"),
    ]  # fmt: skip
    assert [broadcast[name] for name in (
        "request_id", "session_id", "raw_user", "raw_team", "reported_cost_usd",
        "total_mismatch_tokens",
    )] == ["gen-synthetic-7", "sess-9", "u-9", "search", Decimal("0.0048"), 0]  # fmt: skip
    assert spans["b0"]["evidence_layer"] == "gateway"


def test_an_agent_elsewhere_is_costed_only_where_its_calls_are_not_seen(
    spans: dict[str, Event],
) -> None:
    shown = {name for name, each in spans.items() if each["is_informational"]}
    assert shown == {"a1"}
    assert buckets(spans["a2"]) == {"input": 100}


def test_a_call_without_counts_is_a_request(spans: dict[str, Event]) -> None:
    counted = {name for name, each in spans.items() if each["unit"] == "requests"}
    assert counted == {"a3"}
    assert (spans["a3"]["quantity"], spans["a3"]["total_tokens"]) == (1, 0)


def current(home: Path) -> dict[str, Event]:
    """The rows that count, by record: of each act the newest version."""
    chosen: dict[str, Event] = {}
    for version in events_of(home, "intermediate.int_usage__versions"):
        if not version["is_removed"]:
            chosen[version["usage_key"]] = version
    rows = {
        (each["usage_key"], each["load_id"], each["source_locator"]): each
        for model in (
            "stg_collector__events", "stg_collector__litellm_logs", "stg_litellm__spend_logs",
        )
        for each in events_of(home, f"staging.{model}")
    }  # fmt: skip
    found = [rows.get((key, v["load_id"], v["source_locator"])) for key, v in chosen.items()]
    return {each["source_record_id"]: each for each in found if each is not None}


def test_the_latest_delivery_of_an_event_is_what_counts(home: Path) -> None:
    found = current(home)
    assert found["corrected"]["output_tokens"] == 2
    assert found["corrected"]["occurred_at"] == datetime(2026, 11, 24, 10)  # noqa: DTZ001
    assert found["corrected in one"]["output_tokens"] == 2


def test_a_pushed_call_and_its_pulled_row_are_one(home: Path) -> None:
    pulled = {e["source_record_id"]: e for e in events_of(home, "staging.stg_litellm__spend_logs")}
    pushed = {
        e["source_record_id"]: e for e in events_of(home, "staging.stg_collector__litellm_logs")
    }
    assert len(pushed) == 7
    assert pushed.keys() - pulled.keys() == {PUSHED_ONLY}
    same = set(pushed[BOTH]) - {
        "load_id", "loaded_at", "row_hash", "source_locator", "richness", "request_id",
        "response_id",
    }  # fmt: skip
    differing = {
        (name, column)
        for name in pushed.keys() & pulled.keys()
        for column in same
        if pushed[name][column] != pulled[name][column]
    }
    # Observed of LiteLLM: a failed call counts its prompt in the table alone, and an unknown model
    # has its name in the push alone; agents are in the table alone.
    assert {column for _, column in differing} <= {
        "input_tokens", "total_input_tokens", "total_tokens", "model_served", "raw_agent",
        "model_requested", "ttft_ms", "latency_ms", "occurred_at",
    }  # fmt: skip
    assert buckets(pushed["9c0e4d52-0000-4000-8000-00000000a001"]) == {
        "input": 120, "cache_read": 8_000, "cache_write_5m": 1_000, "cache_write_1h": 500,
        "output": 282, "reasoning": 128,
    }  # fmt: skip
    # One row each: the table's, where the table has the call.
    found = current(home)
    assert found[BOTH]["richness"] == 0
    assert found[PUSHED_ONLY]["richness"] == -1
