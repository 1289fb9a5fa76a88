"""What is taken out of a Bedrock record: counts, names, tags; prompts and answers stay behind."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingestion.contracts import INTEGER, TEXT, UTC_TIME, Column, Contract
from ingestion.json_text import inside, tags_text


def _usages(body: Any) -> Iterator[Mapping[str, Any]]:
    """The usage objects in an output body, which is an object or a list of stream events."""
    for event in body if isinstance(body, list) else [body]:
        for path in (("usage",), ("message", "usage"), ("metadata", "usage")):
            usage = inside(event, *path)
            if isinstance(usage, dict):
                yield usage


def _write_split(body: Any) -> tuple[Any, Any]:
    """Cache writes by lifetime (5 minutes, 1 hour), where the body tells them; else nulls."""
    for usage in _usages(body):
        details = usage.get("cacheDetails")
        if isinstance(details, list):
            by_ttl = {
                detail.get("ttl"): detail.get("inputTokens")
                for detail in details
                if isinstance(detail, dict) and isinstance(detail.get("ttl"), str)
            }
            return by_ttl.get("5m"), by_ttl.get("1h")
        created = usage.get("cache_creation")
        if isinstance(created, dict):
            return (
                created.get("ephemeral_5m_input_tokens"),
                created.get("ephemeral_1h_input_tokens"),
            )
    return None, None


def _latencies(body: Any) -> tuple[Any, Any]:
    """Whole and first-byte latency in milliseconds, where the body tells them."""
    if isinstance(body, list):
        for event in reversed(body):
            metrics = inside(event, "amazon-bedrock-invocationMetrics")
            if metrics:
                return inside(metrics, "invocationLatency"), inside(metrics, "firstByteLatency")
    return inside(body, "metrics", "latencyMs"), None


def _response_id(body: Any) -> Any:
    """The id of the answer, where the model gives one: what its caller knows the request by."""
    for event in body if isinstance(body, list) else [body]:
        for path in (("id",), ("message", "id")):
            id = inside(event, *path)
            if isinstance(id, str):
                return id
    return None


def _tags(metadata: Any) -> str | None:
    if not isinstance(metadata, dict):
        return None
    return tags_text({name: value for name, value in metadata.items() if isinstance(value, str)})


def _pick(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of an invocation record, in order."""
    body = inside(record, "output", "outputBodyJson")
    written_5m, written_1h = _write_split(body)
    latency_ms, first_byte_ms = _latencies(body)
    picked = (
        record.get("timestamp"),
        record.get("accountId"),
        record.get("region"),
        record.get("requestId"),
        record.get("operation"),
        record.get("modelId"),
        record.get("inferenceRegion"),
        inside(record, "identity", "arn"),
        record.get("errorCode"),
        inside(record, "input", "inputTokenCount"),
        inside(record, "input", "cacheReadInputTokenCount"),
        inside(record, "input", "cacheWriteInputTokenCount"),
        written_5m,
        written_1h,
        inside(record, "output", "outputTokenCount"),
        latency_ms,
        first_byte_ms,
        _tags(record.get("requestMetadata")),
        _response_id(body),
    )
    return (*picked, sum(value is not None for value in picked))


_COLUMNS = (
    Column("timestamp", UTC_TIME, required=True),
    Column("account_id", TEXT, required=True),
    Column("region", TEXT, required=True),
    Column("request_id", TEXT, required=True),
    Column("operation", TEXT),
    Column("model_id", TEXT),
    Column("inference_region", TEXT),
    Column("identity_arn", TEXT),
    Column("error_code", TEXT),
    Column("input_token_count", INTEGER),
    Column("cache_read_input_token_count", INTEGER),
    Column("cache_write_input_token_count", INTEGER),
    Column("cache_write_5m_token_count", INTEGER),
    Column("cache_write_1h_token_count", INTEGER),
    Column("output_token_count", INTEGER),
    Column("latency_ms", INTEGER),
    Column("first_byte_latency_ms", INTEGER),
    Column("request_metadata", TEXT),
    Column("response_id", TEXT),
    Column("richness", INTEGER, required=True),
)

INVOCATIONS = Contract(
    resource="invocations",
    columns=_COLUMNS,
    pick=_pick,
    known_fields=frozenset(
        [
            *("timestamp", "accountId", "identity", "region", "requestId", "operation"),
            *("modelId", "input", "output", "schemaType", "schemaVersion", "inferenceRegion"),
            *("requestMetadata", "errorCode"),
        ]
    ),
)
