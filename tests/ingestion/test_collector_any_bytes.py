"""Whatever is sent ends as rows, as records set aside, or as a refusal; never as an error."""

import json
from typing import Any

from collector_service import ENVIRON, SOURCES
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.collector.auth import senders_of
from ingestion.collector.bodies import event_rows, log_rows, span_rows
from ingestion.collector.events import NamesAnotherSource
from ingestion.collector.limits import Refusal
from ingestion.collector.otlp import JSON, PROTOBUF, NotOtlp
from ingestion.collector.stored import rows_in
from ingestion.collector.tables import SPOOLED
from ingestion.collector.values import TooDeep
from ingestion.contracts import build_columns

SENDER = senders_of(SOURCES, ENVIRON)[0]
WORDS = """
    event_id event_name timestamp source properties tags input_tokens output_tokens model status
    reported_cost quantity raw_key specversion data id time litellm_call_id metadata usage_object
    startTime prompt_tokens response_cost request_tags spend_logs_metadata cost_breakdown
    resourceSpans scopeSpans spans resource attributes key value stringValue intValue traceId spanId
    startTimeUnixNano endTimeUnixNano kind name gen_ai.usage.input_tokens
"""
NAMES = st.sampled_from(WORDS.split())
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["ai.usage", "2026-11-24T10:00:00Z", "1", "a" * 32, "b" * 16, "\ud800", "\0"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=25,
)
READERS = {"events": event_rows, "spans": span_rows, "litellm_logs": log_rows}


def read(kind: str, body: bytes, content_type: str) -> None:
    """Reads a body, and looks whether what would be written fits its table."""
    try:
        taken = READERS[kind](body, content_type, SENDER, b"pepper")
    except (Refusal, NotOtlp, TooDeep, NamesAnotherSource):
        return
    contract = next(each for each in SPOOLED if each.resource == kind)
    rows = list(rows_in(taken.content, instance=SENDER.instance))
    assert len(rows) == taken.rows_count
    fitting = [contract.pick(row) for row in rows if isinstance(row, dict)]
    assert build_columns(fitting, contract) is not None


@settings(max_examples=150, deadline=None, derandomize=True)
@given(VALUES)
def test_any_json(value: Any) -> None:
    body = json.dumps(value).encode()
    for kind in READERS:
        read(kind, body, JSON)
        read(kind, json.dumps([value, value]).encode(), JSON)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    for kind in READERS:
        read(kind, body, JSON)
    read("spans", body, PROTOBUF)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.dictionaries(NAMES, SCALARS, max_size=8), st.dictionaries(NAMES, SCALARS, max_size=8))
def test_any_event_call_and_span(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    known = {"timestamp": "2026-11-24T10:00:00Z", "event_id": "a", "id": "a", "startTime": 1.5e9}
    read("events", json.dumps(known | outer | {"properties": inner}).encode(), JSON)
    usage = {"usage_object": inner, "cost_breakdown": outer, "spend_logs_metadata": inner}
    read("litellm_logs", json.dumps(known | outer | {"metadata": usage}).encode(), JSON)
    span = {
        "traceId": "a" * 32, "spanId": "b" * 16, "startTimeUnixNano": 1, "endTimeUnixNano": 2,
        **outer,
        "attributes": [{"key": name, "value": {"stringValue": v}} for name, v in inner.items()],
    }  # fmt: skip
    request = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    read("spans", json.dumps(request).encode(), JSON)
