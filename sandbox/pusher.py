"""Two applications of the demo company that push their usage to the collector themselves.

`docs-bot` posts `ai.usage` events, `release-notes` is traced with OpenTelemetry; no gateway and no
cloud log sees either. Ids follow from the world's seed, so that a second push changes nothing.
"""

import gzip
import hashlib
from collections.abc import Iterable
from typing import Any

import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from sandbox.vendor import Call, Grounds, own_calls

EVENTS_APPLICATION, SPANS_APPLICATION = "docs-bot", "release-notes"
EVENTS_A_DAY, SPANS_A_DAY = 9, 6
_EVENT_MODELS = ("gpt-4o-mini", "gpt-4.1-mini")
_SPAN_MODELS = ("claude-haiku-4-5", "claude-sonnet-4-5")
_BATCH = 100
_TIMEOUT_SECONDS = 30


def push(
    url: str, token: str, grounds: Grounds, *, traces_token: str | None = None
) -> dict[str, int]:
    """Posts everything up to the end of the world; what was posted, to tie a warehouse out with."""
    events, spans = _event_calls(grounds), _span_calls(grounds)
    for batch in _batches(events):
        body = [_event(call, grounds) for call in batch]
        answer = _post(url, "/v1/events", token, json=body)
        if answer.json() != {"accepted": len(batch), "set_aside": []}:
            raise RuntimeError("the collector did not take every event")
    for batch in _batches(spans):
        request = _export([_span(call, grounds) for call in batch])
        answer = _post(
            url,
            "/v1/traces",
            traces_token or token,
            data=gzip.compress(request.SerializeToString()),
            headers={"content-type": "application/x-protobuf", "content-encoding": "gzip"},
        )
        if ExportTraceServiceResponse.FromString(answer.content).HasField("partial_success"):
            raise RuntimeError("the collector did not take every span")
    return pushed(grounds)


def pushed(grounds: Grounds) -> dict[str, int]:
    """How many acts there are to push, and their tokens."""
    events, spans = _event_calls(grounds), _span_calls(grounds)
    return {
        "events": len(events),
        "event_tokens": sum(_tokens(call) for call in events),
        "spans": len(spans),
        "span_tokens": sum(_tokens(call) for call in spans),
    }


def _event_calls(grounds: Grounds) -> list[Call]:
    return own_calls(
        grounds, name=EVENTS_APPLICATION, a_day=EVENTS_A_DAY, models=_EVENT_MODELS, reasons=True
    )


def _span_calls(grounds: Grounds) -> list[Call]:
    return [
        call
        for call in own_calls(
            grounds, name=SPANS_APPLICATION, a_day=SPANS_A_DAY, models=_SPAN_MODELS
        )
        if not call.is_error
    ]


def _tokens(call: Call) -> int:
    return call.input_tokens + call.cache_read_tokens + call.output_tokens + call.reasoning_tokens


def _batches(calls: list[Call]) -> Iterable[list[Call]]:
    return (calls[start : start + _BATCH] for start in range(0, len(calls), _BATCH))


def _post(url: str, path: str, token: str, **content: Any) -> requests.Response:
    headers = {"authorization": f"Bearer {token}", **content.pop("headers", {})}
    answer = requests.post(url + path, headers=headers, timeout=_TIMEOUT_SECONDS, **content)
    answer.raise_for_status()
    return answer


def _event(call: Call, grounds: Grounds) -> dict[str, Any]:
    """The act as an application reports it: inclusive counts, and content nobody should keep."""
    return {
        "event_name": "ai.usage",
        "event_id": f"{EVENTS_APPLICATION}-{grounds.seed}-{call.number}",
        "external_customer_id": call.customer,
        "timestamp": call.at.isoformat(),
        "properties": {
            "provider": "openai",
            "model": call.model,
            "operation": "chat",
            "input_tokens": call.input_tokens + call.cache_read_tokens,
            "cached_tokens": call.cache_read_tokens,
            "output_tokens": call.output_tokens + call.reasoning_tokens,
            "reasoning_tokens": call.reasoning_tokens,
            "status": "error" if call.is_error else "ok",
            "raw_team": call.team_id,
            "raw_user": call.user_email,
            "raw_application": EVENTS_APPLICATION,
            "raw_feature": call.feature,
            "prompt": grounds.canary,
        },
    }


def _span(call: Call, grounds: Grounds) -> Span:
    """The act as an instrumentation of the current convention records it."""
    seed = f"{SPANS_APPLICATION}:{grounds.seed}:{call.number}".encode()
    started = int(call.at.timestamp() * 1000) * 10**6
    return Span(
        trace_id=hashlib.sha256(seed).digest()[:16],
        span_id=hashlib.sha256(b"span:" + seed).digest()[:8],
        name=f"chat {call.model}",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=started,
        end_time_unix_nano=started + call.latency_ms * 10**6,
        status=Status(code=Status.STATUS_CODE_UNSET),
        attributes=_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "anthropic",
                "gen_ai.request.model": call.model,
                "gen_ai.response.model": call.model,
                "gen_ai.response.id": f"msg_{hashlib.sha256(seed).hexdigest()[:20]}",
                "gen_ai.usage.input_tokens": call.input_tokens + call.cache_read_tokens,
                "gen_ai.usage.output_tokens": call.output_tokens,
                "gen_ai.usage.cache_read.input_tokens": call.cache_read_tokens,
                "user.id": call.user_email,
                "trace.metadata.team": call.team_id,
                "gen_ai.input.messages": grounds.canary,
            }
        ),
    )


def _export(spans: list[Span]) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    resource = {"service.name": SPANS_APPLICATION, "deployment.environment.name": "production"}
    group.resource.attributes.extend(_attributes(resource))
    group.scope_spans.add(spans=spans).scope.name = "acme.instrumentation"
    return request


def _attributes(values: dict[str, str | int]) -> list[KeyValue]:
    return [
        KeyValue(
            key=name,
            value=AnyValue(int_value=value)
            if isinstance(value, int)
            else AnyValue(string_value=value),
        )
        for name, value in values.items()
    ]
