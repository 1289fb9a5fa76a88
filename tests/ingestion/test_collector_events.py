"""What is kept of a pushed event: listed numbers, ids and times; the rest is nowhere."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from collector_service import APP_TOKEN, LITELLM_TOKEN, OTEL_TOKEN, collector, drain, event
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from raw_loads import FIXTURES, loaded, rows_of, tied

from ingestion.batches import SetAside
from ingestion.collector.events import COUNTS, TEXTS, event_row
from ingestion.collector.shape import plain_events
from ingestion.collector.stored import rows_in, taken_as_sent

CANARY = "what-somebody-asked-2b7e"
PEPPER = b"pepper of the tests"
EVENTS = "raw_collector.events"


def row(payload: Any, **facts: Any) -> Any:
    known = {"instance": "app", "evidence_layer": "observability", "pepper": PEPPER, **facts}
    return event_row(payload, **known)


def test_values_may_be_numbers_or_text() -> None:
    made = row(
        event(
            "a",
            input_tokens="1200",
            output_tokens=300.0,
            cached_tokens="",
            reported_cost="0.000013350000001",
            quantity=2,
            raw_user=42,
            status="SUCCEEDED",
        )
    )
    assert made == {
        "evidence_layer": "observability",
        "event_id": "a",
        "occurred_at": "2026-11-24T10:00:00Z",
        "raw_customer": "northwind",
        "provider": "openai",
        "model": "gpt-4o-mini",
        "operation": "chat",
        "input_tokens": 1_200,
        "output_tokens": 300,
        "reported_cost": "0.000013350000001",
        "quantity": "2",
        "raw_user": "42",
        "status": "ok",
    }


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00Z"),
        ("2026-11-24T11:30:00+01:30", "2026-11-24T10:00:00+00:00"),
        ("2026-11-24T10:00:00.123456789Z", "2026-11-24T10:00:00.123456+00:00"),
        (1_795_514_400, "2026-11-24T10:00:00+00:00"),
        ("1795514400000", "2026-11-24T10:00:00+00:00"),
        (1_795_514_400_123_456, "2026-11-24T10:00:00.123456+00:00"),
    ],
)
def test_a_time_has_a_zone_or_is_an_epoch(said: Any, kept: str) -> None:
    assert row(event("a") | {"timestamp": said})["occurred_at"] == kept


@pytest.mark.parametrize(
    ("changed", "column", "reason"),
    [
        ({"timestamp": "2026-11-24T10:00:00"}, "timestamp", "not_a_time_with_zone"),
        ({"timestamp": "2026-13-24T10:00:00Z"}, "timestamp", "not_a_time_with_zone"),
        ({"timestamp": "yesterday"}, "timestamp", "not_a_time_with_zone"),
        ({"timestamp": None}, "timestamp", "missing"),
        ({"event_name": "page.viewed"}, "event_name", "unknown_value"),
        ({"properties": ["a"]}, "properties", "not_an_object"),
        ({"properties": {"inputTokens": 5}}, None, "no_usage"),
        ({"properties": {"input_tokens": -5}}, "input_tokens", "negative"),
        ({"properties": {"input_tokens": 2**63}}, "input_tokens", "out_of_range"),
        ({"properties": {"input_tokens": 10**30}}, "input_tokens", "out_of_range"),
        ({"properties": {"input_tokens": "9" * 30}}, "input_tokens", "out_of_range"),
        ({"properties": {"input_tokens": "1,234"}}, "input_tokens", "not_an_integer"),
        ({"properties": {"input_tokens": 1.5}}, "input_tokens", "not_an_integer"),
        ({"properties": {"input_tokens": True}}, "input_tokens", "not_an_integer"),
        ({"properties": {"input_tokens": float("nan")}}, "input_tokens", "not_an_integer"),
        ({"properties": {"reported_cost": "NaN"}}, "reported_cost", "not_an_amount"),
        ({"properties": {"reported_cost": -0.1}}, "reported_cost", "negative"),
        ({"properties": {"reported_cost": "1e400"}}, "reported_cost", "out_of_range"),
        ({"properties": {"quantity": [1]}}, "quantity", "not_an_amount"),
        ({"properties": {"input_tokens": 1, "model": {"a": 1}}}, "model", "not_text"),
        ({"properties": {"input_tokens": 1, "status": "odd"}}, "status", "unknown_value"),
        (
            {"properties": {"input_tokens": 1, "token_convention": "both"}},
            "token_convention",
            "unknown_value",
        ),
    ],
)
def test_what_does_not_fit_sets_its_event_aside(
    changed: dict[str, Any], column: str | None, reason: str
) -> None:
    found = row(event("a") | changed)
    assert isinstance(found, SetAside)
    assert (found.column_name, found.reason) == (column, reason)
    assert re.fullmatch("[0-9a-f]{64}", found.sha256)


def test_an_event_that_is_no_object_is_set_aside_and_a_failed_one_needs_no_usage() -> None:
    assert row(["a"]).reason == "not_an_object"
    failed = event("a") | {"properties": {"status": "error"}}
    assert row(failed)["status"] == "error"


def test_an_event_in_an_envelope_takes_its_id_and_time_where_it_has_none() -> None:
    envelope = {
        "specversion": "1.0", "type": "ai.usage", "source": "/checkout", "id": "ce-1",
        "time": "2026-11-24T11:00:00Z",
    }  # fmt: skip
    bare = event()
    del bare["timestamp"]
    found = row(envelope | {"data": bare})
    assert (found["event_id"], found["occurred_at"]) == ("ce-1", "2026-11-24T11:00:00Z")
    found = row(envelope | {"data": event("own")})
    assert (found["event_id"], found["occurred_at"]) == ("own", "2026-11-24T10:00:00Z")


def test_tags_are_an_object_of_short_strings() -> None:
    def tags(said: Any) -> Any:
        return row(event("a", tags=said)).get("tags")

    assert tags({"b": "x", "a": "y"}) == '{"a":"y","b":"x"}'
    assert tags(["feature=search", "prod"]) == '{"feature":"search","prod":"true"}'
    mixed = {"n": 1, "yes": True, "none": None, "deep": {"a": 1}, "long": "x" * 257}
    assert tags(mixed) == '{"n":"1","yes":"true"}'
    assert tags({}) is None


def test_a_raw_key_is_kept_as_its_hmac_and_last_four() -> None:
    found = row(event("a", raw_key="sk-proj-secret-wxyz"))
    assert found["raw_key_alias"] == "...wxyz"
    assert re.fullmatch("[0-9a-f]{64}", found["raw_key_hash"])
    assert "secret" not in json.dumps(found)
    again = row(event("b", raw_key="sk-proj-secret-wxyz"), instance="other")
    assert again["raw_key_hash"] == found["raw_key_hash"]
    other = row(event("a", raw_key="sk-proj-secret-wxyz"), pepper=b"another")
    assert other["raw_key_hash"] != found["raw_key_hash"]
    assert "raw_key_alias" not in row(event("a", raw_key="short"))


def test_without_an_id_two_events_are_one_where_they_say_the_same() -> None:
    first = row(event())
    reordered = dict(reversed(event().items()))
    assert row(reordered) == first
    assert row(event(output_tokens=201))["payload_sha256"] != first["payload_sha256"]
    # The hash is of all that was sent, not only of what is kept.
    assert row(event(prompt="one"))["payload_sha256"] != row(event(prompt="two"))["payload_sha256"]
    assert "payload_sha256" not in row(event(request_id="r"))


_WORDS = st.text(min_size=1, max_size=8) | st.sampled_from(["app", " ", "x" * 2_000, "\x00"])
_PROPERTIES = st.fixed_dictionaries(
    {"request_id": _WORDS, "input_tokens": st.integers(0, 2**63 - 1)},
    optional={
        **dict.fromkeys(COUNTS[1:], st.integers(0, 10**6)),
        **dict.fromkeys(TEXTS[2:], _WORDS),
        "reported_cost": st.floats(0, 10**6) | st.integers(0, 10),
        "status": st.sampled_from(["ok", "error"]),
        "tags": st.dictionaries(_WORDS, _WORDS, max_size=3),
    },
)
_TIMES = st.sampled_from(
    ["2026-11-24T10:00:00Z", "2026-11-24T10:00:00.5+02:00", "2026-02-30T10:00:00Z"]
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.fixed_dictionaries(
    {"timestamp": _TIMES, "properties": _PROPERTIES},
    optional={"event_id": _WORDS, "external_customer_id": _WORDS},
))  # fmt: skip
def test_a_plain_body_becomes_the_same_rows_as_one_that_is_cleaned(sent: dict[str, Any]) -> None:
    plain = plain_events(json.dumps([sent]).encode(), instance="app")
    assume(plain is not None)  # a tag may be too long
    stored = taken_as_sent(plain, evidence_layer="observability").content
    assert list(rows_in(stored, instance="app")) == [row(sent)]


def test_usual_events_are_plain() -> None:
    usual = event(
        "a", cached_tokens=5, reported_cost=0.1, quantity=3, unit="images", tags={"a": "b"},
        status="ok", fidelity="per_request", token_convention="disjoint",
    )  # fmt: skip
    assert plain_events(json.dumps([usual]).encode(), instance="app") == [usual]
    for odd in (
        event("a", prompt="x"),
        event("a", input_tokens="5"),
        event(),
        event("a", raw_key="k"),
    ):
        assert plain_events(json.dumps([usual, odd]).encode(), instance="app") is None


def test_content_is_in_no_byte_under_the_home(tmp_path: Path) -> None:
    content = {"prompt": CANARY, "messages": [CANARY], "response": {"a": CANARY}}
    events = [
        event("a", **content) | content,
        event("b", input_tokens=CANARY),
        event("c", tags={"a": [CANARY]}, model=CANARY * 500),
        event("d", status=CANARY),
        event("e") | {"timestamp": CANARY},
        event("f", raw_key=f"sk-{CANARY}"),
        event("g"),
        CANARY,
    ]
    # The last of two equal names counts, the first is not kept either.
    twice = json.dumps([event("twice")]).replace('"model"', f'"model": "{CANARY}", "model"', 1)
    log = json.loads((FIXTURES / "litellm" / "generic_api_batch.json").read_text(encoding="utf-8"))
    for each in log:
        each |= content | {"error_str": CANARY, "model_parameters": {"a": CANARY}}
        each["metadata"]["requester_metadata"] = {"headers": {"a": CANARY}}
    log.append(log[0] | {"prompt_tokens": CANARY})
    spans = (FIXTURES / "otel" / "traces_semconv_1_41.json").read_text(encoding="utf-8")
    spans = spans.replace('"finish_reasons"', '"input.messages"').replace('"stop"', f'"{CANARY}"')
    inbox = tmp_path / "inbox" / "app"
    inbox.mkdir(parents=True)
    with collector(tmp_path) as service:
        answers = [
            service.post("/v1/events", events, token=APP_TOKEN),
            service.post("/v1/events", twice.encode(), token=APP_TOKEN),
            service.post("/litellm", log, token=LITELLM_TOKEN),
            service.post("/v1/traces", spans.encode(), token=OTEL_TOKEN),
        ]
        assert [answer.status_code for answer in answers] == [202, 202, 202, 200]
        spilled = {
            path.name: CANARY
            for path in tmp_path.rglob("*")
            if path.is_file() and CANARY.encode() in path.read_bytes()
        }
        assert spilled == {}
        assert not [answer for answer in answers if CANARY in answer.text]
        told = answers[0].json()
    drain(tmp_path)
    assert told["accepted"] == 4  # a, c, f, g
    assert [each["record"] for each in told["set_aside"]] == [1, 3, 4, 7]
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path
    for table in ("events", "events__rejected", "litellm_logs", "spans", "litellm_logs__rejected"):
        assert CANARY not in repr(rows_of(tmp_path, f"select * from raw_collector.{table}"))
    assert tied(tmp_path, table=EVENTS) == (9, 5, 4)
    assert tied(tmp_path, table="raw_collector.litellm_logs") == (8, 7, 1)
    # Too long for a name: the event counts, the name is dropped.
    assert loaded(tmp_path, "event_id, model", table=EVENTS)[1] == ("c", None)


def test_amounts_keep_every_digit(tmp_path: Path) -> None:
    costs = {"text": "0.000000000000001", "number": 1.3350000000000001e-05, "whole": 3}
    with collector(tmp_path) as service:
        for name, cost in costs.items():
            service.post("/v1/events", [event(name, reported_cost=cost)])
    drain(tmp_path)
    assert loaded(tmp_path, "event_id, reported_cost", table=EVENTS) == [
        ("number", Decimal("0.000013350000000")),
        ("text", Decimal("0.000000000000001")),
        ("whole", Decimal(3)),
    ]
