"""OTLP: export requests as spans, and the answers OTLP wants, in JSON and in protobuf.

JSON is not protobuf's own: ids are hex, enums numbers, 64-bit integers may be text; unknown fields
are passed over. Only wanted attributes are taken out of a request.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import orjson

from ingestion.batches import SetAside
from ingestion.collector.spans import Span, is_wanted
from ingestion.json_text import decode_json

JSON, PROTOBUF = "application/json", "application/x-protobuf"
NOT_A_REQUEST = "body is not a valid ExportTraceServiceRequest"


class NotOtlp(Exception):
    """A body that is no export request."""


def spans_of_json(value: Any) -> Iterator[Span]:
    """Every span of a decoded JSON request."""
    for group in _objects(value, "resourceSpans"):
        resource = group.get("resource") or {}
        shared = _json_attributes(_objects(resource, "attributes"))
        for scope in _objects(group, "scopeSpans"):
            for span in _objects(scope, "spans"):
                status = span.get("status") or {}
                yield Span(
                    trace_id=span.get("traceId"),
                    span_id=span.get("spanId"),
                    name=span.get("name"),
                    kind=span.get("kind"),
                    started_ns=span.get("startTimeUnixNano"),
                    ended_ns=span.get("endTimeUnixNano"),
                    status_code=status.get("code") if isinstance(status, dict) else None,
                    attributes=shared | _json_attributes(_objects(span, "attributes")),
                )


def _objects(parent: Any, name: str) -> list[dict[str, Any]]:
    found = parent.get(name) if isinstance(parent, dict) else NotOtlp
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise NotOtlp
    return found


def _json_attributes(pairs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    found = {}
    for pair in pairs:
        name, value = pair.get("key"), pair.get("value")
        if isinstance(name, str) and is_wanted(name) and isinstance(value, dict):
            for kind in ("stringValue", "intValue", "doubleValue", "boolValue"):
                if kind in value:
                    found[name] = value[kind]
    return found


def spans_of_protobuf(body: bytes) -> Iterator[Span]:
    """Every span of a protobuf request."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        raise NotOtlp from None
    for group in request.resource_spans:
        shared = _protobuf_attributes(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Span(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    name=span.name,
                    kind=span.kind,
                    started_ns=span.start_time_unix_nano,
                    ended_ns=span.end_time_unix_nano,
                    status_code=span.status.code,
                    attributes=shared | _protobuf_attributes(span.attributes),
                )


def _protobuf_attributes(pairs: Any) -> dict[str, Any]:
    found = {}
    for pair in pairs:
        kind = pair.value.WhichOneof("value") if is_wanted(pair.key) else None
        if kind in ("string_value", "int_value", "double_value", "bool_value"):
            found[pair.key] = getattr(pair.value, kind)
    return found


def spans_of(body: bytes, content_type: str, check: Callable[[Any], None]) -> list[Span]:
    """Every span of a request; `check` looks at decoded JSON first. Raises NotOtlp."""
    if content_type == PROTOBUF:
        return list(spans_of_protobuf(body))
    try:
        value = decode_json(body)
    except ValueError:
        raise NotOtlp from None
    check(value)
    return list(spans_of_json(value))


def answer(content_type: str, *, refusals: list[SetAside], warning: str = "") -> bytes:
    """The body of a 200: empty where all was taken, else how many spans were not, and why."""
    message = _explained(refusals) if refusals else warning
    if content_type == PROTOBUF:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceResponse,
        )

        response = ExportTraceServiceResponse()
        if message:
            response.partial_success.rejected_spans = len(refusals)
            response.partial_success.error_message = message
        return bytes(response.SerializeToString())
    if not message:
        return b"{}"
    partial = {"rejectedSpans": str(len(refusals)), "errorMessage": message}
    return orjson.dumps({"partialSuccess": partial})


def _explained(refusals: list[SetAside]) -> str:
    """How many spans were refused, and what is wrong with the first; never a value."""
    first = refusals[0]
    asked = {"negative": "must be >= 0", "not_an_integer": "must be an integer"}
    count = f"{len(refusals)} span{'s' if len(refusals) > 1 else ''} rejected"
    return f"{count}: {first.column_name} {asked.get(first.reason, first.reason.replace('_', ' '))}"


def failure(content_type: str, message: str) -> bytes:
    """A google.rpc.Status with that message."""
    if content_type == PROTOBUF:
        data = message.encode()
        return b"\x12" + bytes([len(data)]) + data
    return orjson.dumps({"message": message})
