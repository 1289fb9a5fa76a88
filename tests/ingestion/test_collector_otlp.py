"""OpenTelemetry spans: three generations of names, two encodings, what is metered and what not."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from collector_service import OTEL_TOKEN, Service, collector, drain
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from raw_loads import FIXTURES, loaded, rows_of, tied

from ingestion.collector.spool import held, spool_path

OTEL = FIXTURES / "otel"
PROTOBUF = "application/x-protobuf"
SPANS = "raw_collector.spans"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with collector(tmp_path) as running:
        yield running


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = {str: "stringValue", int: "intValue", float: "doubleValue", bool: "boolValue"}
    return [{"key": k, "value": {kinds[type(v)]: v}} for k, v in values.items()]


def exported(*spans: dict[str, Any]) -> dict[str, Any]:
    """An export request of these spans: attributes, and fields of the span in `fields`."""
    return {
        "resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [
            {
                "traceId": TRACE,
                "spanId": f"{n:016x}",
                "name": "chat m",
                "kind": 3,
                "startTimeUnixNano": "1791190800000000000",
                "endTimeUnixNano": 1791190802000000000,
                **span.pop("fields", {}),
                "attributes": attributes(span),
            }
            for n, span in enumerate(spans, start=1)
        ]}]}]
    }  # fmt: skip


CALL = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10}


def test_the_same_span_is_the_same_row_in_json_protobuf_and_packed(service: Service) -> None:
    text = (OTEL / "traces_semconv_1_41.json").read_bytes()
    binary = (OTEL / "traces_semconv_1_41.pb").read_bytes()
    for body, kind, encoding in (
        (text, "application/json; charset=utf-8", ""),
        (binary, PROTOBUF, ""),
        (gzip.compress(text), "application/json", "gzip"),
        (gzip.compress(binary), PROTOBUF, "gzip"),
    ):
        answer = service.post(
            "/v1/traces", body, token=OTEL_TOKEN, content_type=kind, content_encoding=encoding
        )
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kind.partition(";")[0]
        assert answer.content == (b"" if kind == PROTOBUF else b"{}")
    drain(service.home)
    columns = "trace_id, span_id, start_time, input_tokens, response_id, raw_user, tags, row_hash"
    assert len(set(loaded(service.home, columns, table=SPANS))) == 1
    assert tied(service.home, table=SPANS) == (4, 4, 0)


def test_the_answers_are_those_of_the_protocol(service: Service) -> None:
    def recorded(name: str) -> Any:
        return json.loads((OTEL / name).read_text(encoding="utf-8"))

    mixed = recorded("traces_mixed_valid_and_invalid.json")
    answer = service.post("/v1/traces", mixed, token=OTEL_TOKEN)
    assert (answer.status_code, answer.json()) == (200, recorded("response_partial_success.json"))
    answer = service.post("/v1/traces", {"resourceSpans": 5}, token=OTEL_TOKEN)
    assert (answer.status_code, answer.json()) == (400, recorded("response_400_status.json"))
    answer = service.post("/v1/traces", {}, token=OTEL_TOKEN)
    assert (answer.status_code, answer.json()) == (200, recorded("response_full_success.json"))

    answer = service.post("/v1/traces", b"\xff\xff", token=OTEL_TOKEN, content_type=PROTOBUF)
    assert answer.status_code == 400
    message = b"body is not a valid ExportTraceServiceRequest"
    assert answer.content == b"\x12" + bytes([len(message)]) + message
    drain(service.home)
    # One good, one negative; the third is no call of a model.
    assert tied(service.home, table=SPANS) == (2, 1, 1)
    assert rows_of(
        service.home, "select column_name, reason from raw_collector.spans__rejected"
    ) == [("gen_ai.usage.input_tokens", "negative")]


def test_a_partial_success_in_protobuf(service: Service) -> None:
    request = exported(CALL, CALL | {"gen_ai.usage.input_tokens": "many"})
    message = ParseDict(without_ids(request), ExportTraceServiceRequest())
    for span in message.resource_spans[0].scope_spans[0].spans:
        span.trace_id, span.span_id = bytes.fromhex(TRACE), bytes.fromhex(SPAN)
    answer = service.post(
        "/v1/traces", message.SerializeToString(), token=OTEL_TOKEN, content_type=PROTOBUF
    )
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_spans == 1
    assert partial.error_message == (
        "1 span rejected: gen_ai.usage.input_tokens must be an integer"
    )


def without_ids(request: dict[str, Any]) -> dict[str, Any]:
    for span in request["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        del span["traceId"], span["spanId"]
    return request


def test_only_calls_of_models_are_metered(service: Service) -> None:
    def of(operation: str, **fields: Any) -> dict[str, Any]:
        return CALL | {"gen_ai.operation.name": operation, "fields": fields}

    ignored = [
        of("invoke_agent", kind=1), of("execute_tool"), of("create_agent"), of("invoke_workflow"),
        of("retrieval"), of("plan"), of("fetch_response"), of("search_memory"),
        of("chat", name="provider attempt 2"),
        {"http.request.method": "GET"},
        {"gen_ai.operation.name": "execute_tool"},
        # It failed before anything was used.
        {"gen_ai.operation.name": "chat", "fields": {"status": {"code": 2}}},
        {"gen_ai.operation.name": "chat", "error.type": "timeout", "gen_ai.usage.input_tokens": 0},
    ]  # fmt: skip
    metered = [
        of("chat"), of("generate_content"), of("text_completion"), of("embeddings"),
        of("invoke_agent", kind=3),
        {"llm.token_count.prompt": 5, "fields": {"name": "litellm_request"}},
        {"gen_ai.operation.name": "chat"},
        of("chat", status={"code": 2}),
    ]  # fmt: skip
    assert service.post("/v1/traces", exported(*ignored), token=OTEL_TOKEN).json() == {}
    assert service.post("/v1/traces", exported(*metered), token=OTEL_TOKEN).json() == {}
    drain(service.home)
    assert tied(service.home, table=SPANS) == (8, 8, 0)
    assert loaded(service.home, "span_id, operation, status", table=SPANS) == [
        (f"{1:016x}", "chat", "ok"),
        (f"{2:016x}", "generate_content", "ok"),
        (f"{3:016x}", "text_completion", "ok"),
        (f"{4:016x}", "embeddings", "ok"),
        (f"{5:016x}", "invoke_agent", "ok"),
        (f"{6:016x}", None, "ok"),
        (f"{7:016x}", "chat", "ok"),
        (f"{8:016x}", "chat", "error"),
    ]


GENERATIONS = {
    "input_tokens": [
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
    ],
    "output_tokens": [
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
    ],
    "cache_read_tokens": [
        "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.input_tokens.cached",
    ],
    "cache_write_tokens": [
        "gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
    ],
    "reasoning_tokens": [
        "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.output_tokens.reasoning",
        "gen_ai.usage.reasoning_tokens",
    ],
}  # fmt: skip


def test_the_newest_name_counts(service: Service) -> None:
    # The first span has every name, the second all but the newest, the third the oldest alone.
    spans = [
        {"gen_ai.operation.name": "chat"}
        | {
            name: 10 * (n + 1)
            for names in GENERATIONS.values()
            for n, name in enumerate(names)
            if n >= first
        }
        for first in range(3)
    ]
    service.post("/v1/traces", exported(*spans), token=OTEL_TOKEN)
    drain(service.home)
    assert loaded(service.home, f"{', '.join(GENERATIONS)}", table=SPANS) == [
        (10,) * 5, (20,) * 5, (30,) * 5,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "place", "reason"),
    [
        ({"traceId": "abc"}, "traceId", "not an id"),
        ({"traceId": "0" * 32}, "traceId", "missing"),
        ({"spanId": None}, "spanId", "not an id"),
        ({"startTimeUnixNano": "0"}, "startTimeUnixNano", "missing"),
        ({"startTimeUnixNano": "soon"}, "startTimeUnixNano", "must be an integer"),
    ],
)
def test_a_span_without_its_ids_or_times_is_rejected(
    service: Service, fields: dict[str, Any], place: str, reason: str
) -> None:
    answer = service.post("/v1/traces", exported(CALL | {"fields": fields}), token=OTEL_TOKEN)
    assert answer.json() == {
        "partialSuccess": {
            "rejectedSpans": "1",
            "errorMessage": f"1 span rejected: {place} {reason}",
        }
    }


@pytest.mark.parametrize("path", ["/v1/metrics", "/v1/logs"])
def test_metrics_and_logs_are_taken_and_not_metered(service: Service, path: str) -> None:
    [recorded] = OTEL.glob(f"{path.removeprefix('/v1/')}_*.json")
    body = recorded.read_bytes()
    answer = service.post(path, body, token=OTEL_TOKEN)
    assert answer.status_code == 200
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "0"
    assert service.post(path, body, token="wrong").status_code == 401
    found = held(spool_path(service.home))
    assert found is not None
    assert found.rows_count == 0
