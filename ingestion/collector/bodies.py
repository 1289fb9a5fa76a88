"""What stands in a body: one event or many, a LiteLLM batch in its three formats, an export."""

from collections.abc import Sequence
from typing import Any

from ingestion.collector import limits, otlp
from ingestion.collector.auth import Sender
from ingestion.collector.events import event_row
from ingestion.collector.limits import Refusal
from ingestion.collector.litellm_logs import log_row
from ingestion.collector.shape import plain_events
from ingestion.collector.spans import span_row
from ingestion.collector.stored import Taken, taken, taken_as_sent
from ingestion.collector.values import refuse_deep
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


def event_rows(body: bytes, content_type: str, sender: Sender, pepper: bytes) -> Taken:
    """The events of a body: an object, an array or lines of them."""
    plain = plain_events(body, instance=sender.instance)
    if plain is not None:
        _refuse_many(plain)
        return taken_as_sent(plain, evidence_layer=sender.evidence_layer)
    events, above = _records(body)
    _refuse_many(events)
    return taken(
        [
            event_row(
                event,
                instance=sender.instance,
                evidence_layer=sender.evidence_layer,
                pepper=pepper,
                above=above,
            )
            for event in events
        ]
    )


def _refuse_many(events: Sequence[Any]) -> None:
    if len(events) > limits.EVENTS_COUNT:
        raise Refusal(413, "too_many_events")


def log_rows(body: bytes, content_type: str, sender: Sender, pepper: bytes) -> Taken:
    """The calls of a LiteLLM batch: an array, lines (of whatever type) or a single one."""
    records, above = _records(body)
    refuse_deep(records, above=above - 1)
    return taken([log_row(record, pepper=pepper) for record in records])


def span_rows(body: bytes, content_type: str, sender: Sender, pepper: bytes) -> Taken:
    """The metered spans of an export request, and those that are refused."""
    rows = (
        span_row(span, evidence_layer=sender.evidence_layer, convention=sender.token_convention)
        for span in otlp.spans_of(body, content_type, refuse_deep)
    )
    return taken([row for row in rows if row is not None])


def _records(body: bytes) -> tuple[list[Any], int]:
    """The records of a JSON body, or of one with a JSON value a line; how deep they stand in it."""
    try:
        value = decode_json(body)
    except ValueError:
        return _lines(body), 0
    return (value, 1) if isinstance(value, list) else ([value], 0)


def _lines(body: bytes) -> list[Any]:
    """One value a line; 400 where a line is none."""
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) < 2:
        raise Refusal(400, "not_json")
    try:
        return [decode_json(line) for line in lines]
    except ValueError:
        raise Refusal(400, "not_json") from None
