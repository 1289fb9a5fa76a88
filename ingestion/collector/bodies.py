"""What stands in a body: one event or many, a LiteLLM batch in its three formats, an export."""

from typing import Any

from ingestion.collector import limits, otlp
from ingestion.collector.auth import Sender
from ingestion.collector.events import event_row
from ingestion.collector.limits import Refusal
from ingestion.collector.litellm_logs import log_row
from ingestion.collector.spans import span_row
from ingestion.collector.spool import Row
from ingestion.json_text import decode_json

JSON_TYPES = frozenset(
    {
        "application/json",
        "application/x-ndjson",
        "application/ndjson",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    }
)


def event_rows(body: bytes, content_type: str, sender: Sender, pepper: bytes) -> list[Row]:
    """The events of a body: an object, an array or lines of them."""
    events = _records(body, content_type)
    if len(events) > limits.EVENTS_COUNT:
        raise Refusal(413, "too_many_events")
    return [
        event_row(
            event,
            instance=sender.instance,
            evidence_layer=sender.evidence_layer,
            pepper=pepper,
        )
        for event in events
    ]


def log_rows(body: bytes, content_type: str, sender: Sender, pepper: bytes) -> list[Row]:
    """The calls of a LiteLLM batch: an array, lines (of whatever type) or a single one."""
    return [log_row(record, pepper=pepper) for record in _records(body, content_type)]


def span_rows(body: bytes, content_type: str, sender: Sender, pepper: bytes) -> list[Row]:
    """The metered spans of an export request, and those that are refused."""
    rows = (
        span_row(span, evidence_layer=sender.evidence_layer, convention=sender.token_convention)
        for span in otlp.spans_of(body, content_type, limits.refuse_deep)
    )
    return [row for row in rows if row is not None]


def _records(body: bytes, content_type: str) -> list[Any]:
    """The records of a JSON body, or of one that holds a JSON value a line."""
    try:
        value = decode_json(body)
    except ValueError:
        value = _lines(body)
    else:
        if "ndjson" in content_type and not isinstance(value, list):
            value = [value]
    limits.refuse_deep(value)
    return value if isinstance(value, list) else [value]


def _lines(body: bytes) -> list[Any]:
    """One value a line; 400 where a line is none."""
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) < 2:
        raise Refusal(400, "not_json")
    try:
        return [decode_json(line) for line in lines]
    except ValueError:
        raise Refusal(400, "not_json") from None
