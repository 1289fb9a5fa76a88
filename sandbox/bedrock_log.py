"""Bedrock invocations as the objects the log delivery writes: gzipped JSON lines under real paths.

Bodies of calls stand in the lines, as they do in a real log; the canary takes the place of what
people wrote. Two objects deliver a line of the object before them once more, without its bodies.
"""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa

from sandbox.company import ACCOUNT_ID, BUCKET, KEY_PREFIX, REGION

JsonObject = dict[str, Any]
LOG_ROOT = f"{KEY_PREFIX}/AWSLogs/{ACCOUNT_ID}/BedrockModelInvocationLogs"
PERMISSION_CHECK = f"{LOG_ROOT}/amazon-bedrock-logs-permission-check"
_LINES_PER_OBJECT = 250
_GZIP_LEVEL = 3


@dataclass(frozen=True)
class LogObject:
    """One object of the log bucket; `lines` counts its invocations, repeated ones included."""

    key: str
    body: bytes
    last_modified: datetime
    lines: int


def log_objects(invocations: pa.Table, *, canary: str, redelivered: int) -> Iterator[LogObject]:
    """The invocations as log objects in delivery order, `redelivered` lines delivered twice."""
    rows: list[JsonObject] = invocations.to_pylist()
    groups = list(_deliveries(rows))
    # Spread over the delivery: with two of them, at one and two thirds of the way.
    again = {len(groups) * (n + 1) // (redelivered + 1) for n in range(redelivered)}
    for number, group in enumerate(groups):
        lines = [invocation_line(row, canary=canary) for row in group]
        if number in again and number > 0:
            counted = [row for row in groups[number - 1] if row["error_code"] is None]
            lines += [leaner(invocation_line(row, canary="")) for row in counted[:1]]
        delivered_ms = group[-1]["delivered_ms"]
        folder = _folder(delivered_ms)
        name = hashlib.md5(group[0]["request_id"].encode(), usedforsecurity=False).hexdigest()[:16]
        yield LogObject(
            key=f"{folder}/{_moment(delivered_ms):%Y%m%dT%H%M%S}{delivered_ms % 1000:03d}Z_{name}"
            ".json.gz",
            body=gzip.compress(
                b"".join(orjson.dumps(line) + b"\n" for line in lines), _GZIP_LEVEL, mtime=0
            ),
            last_modified=_moment(delivered_ms),
            lines=len(lines),
        )
        for row in group:
            if row["is_body_in_s3"] and row["error_code"] is None:
                body = {"messages": _messages(canary)}
                yield LogObject(
                    key=_body_key(row),
                    body=gzip.compress(orjson.dumps(body), _GZIP_LEVEL, mtime=0),
                    last_modified=_moment(delivered_ms),
                    lines=0,
                )


def invocation_line(row: JsonObject, *, canary: str) -> JsonObject:
    """One invocation (a row of the world's table) as one line of the log."""
    line: JsonObject = {
        "timestamp": f"{_moment(row['start_ms']):%Y-%m-%dT%H:%M:%SZ}",
        "accountId": ACCOUNT_ID,
        "identity": {"arn": _arn(row)},
        "region": REGION,
        "requestId": row["request_id"],
        "operation": row["operation"],
        "modelId": row["model_id"],
        "input": {"inputContentType": "application/json"},
        "output": {"outputContentType": "application/json"},
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
    }
    if row["error_code"] is not None:
        line["input"]["inputBodyJson"] = {}
        line["output"]["outputBodyJson"] = None
        line["errorCode"] = row["error_code"]
    else:
        _count_tokens(line, row)
        if row["is_body_in_s3"]:
            line["input"]["inputBodyS3Path"] = f"s3://{BUCKET}/{_body_key(row)}"
            line["output"]["outputBodyS3Path"] = f"s3://{BUCKET}/{_body_key(row)}"
        else:
            line["input"]["inputBodyJson"] = {"messages": _messages(canary)}
            line["output"]["outputBodyJson"] = _output_body(row, canary=canary)
        if row["inference_region"] is not None:
            line["inferenceRegion"] = row["inference_region"]
    if row["has_metadata"]:
        line["requestMetadata"] = _request_metadata(row)
    return line


def leaner(line: JsonObject) -> JsonObject:
    """The same invocation delivered again: counts kept, bodies and metadata gone."""
    kept = {name: value for name, value in line.items() if name != "requestMetadata"}
    kept["input"] = {k: v for k, v in line["input"].items() if not k.startswith("inputBody")}
    kept["output"] = {k: v for k, v in line["output"].items() if not k.startswith("outputBody")}
    return kept


def _deliveries(rows: list[JsonObject]) -> Iterator[list[JsonObject]]:
    """The rows of one object at a time: of one delivery hour, and not too many."""
    group: list[JsonObject] = []
    for row in rows:
        if group and (
            len(group) == _LINES_PER_OBJECT
            or row["delivered_ms"] // 3_600_000 != group[0]["delivered_ms"] // 3_600_000
        ):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC)


def _folder(delivered_ms: int) -> str:
    return f"{LOG_ROOT}/{REGION}/{_moment(delivered_ms):%Y/%m/%d/%H}"


def _body_key(row: JsonObject) -> str:
    return f"{_folder(row['delivered_ms'])}/data/{row['request_id']}_input.json.gz"


def _arn(row: JsonObject) -> str:
    if row["agent_id"] is not None:
        session = f"agent-{row['agent_id']}"
    else:
        session = row["user_email"] or f"i-0{row['request_id'][:8]}"
    return f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{row['team_id']}-role/{session}"


def _request_metadata(row: JsonObject) -> dict[str, str]:
    if row["trace"] is not None:
        return {"trace": row["trace"]}
    named = {
        "team": row["team_id"],
        "user": row["user_email"],
        "customer": row["customer"],
        "feature": row["feature"],
        "agent": row["agent_id"],
    }
    return {name: value for name, value in named.items() if value is not None}


def _messages(text: str) -> list[JsonObject]:
    return [{"role": "user", "content": [{"text": text or "hello"}]}]


def _count_tokens(line: JsonObject, row: JsonObject) -> None:
    line["input"]["inputTokenCount"] = row["input_tokens"]
    written = row["cache_write_5m_tokens"] + row["cache_write_1h_tokens"]
    if row["cache_read_tokens"] or written:
        line["input"]["cacheReadInputTokenCount"] = row["cache_read_tokens"]
        line["input"]["cacheWriteInputTokenCount"] = written
    if not row["is_embedding"]:
        line["output"]["outputTokenCount"] = row["output_tokens"]


def _output_body(row: JsonObject, *, canary: str) -> Any:
    """What the model answered, in the shape of the operation; streams are arrays of events."""
    if row["is_embedding"]:
        return {"inputTextTokenCount": row["input_tokens"]}
    text = {"text": canary or "hi"}
    if row["operation"] == "Converse":
        return {
            "output": {"message": {"role": "assistant", "content": [text]}},
            "stopReason": "end_turn",
            "metrics": {"latencyMs": row["duration_ms"]},
            "usage": _converse_usage(row),
        }
    if row["operation"] == "ConverseStream":
        return [
            {"messageStart": {"role": "assistant"}},
            {"contentBlockDelta": {"delta": text, "contentBlockIndex": 0}},
            {"messageStop": {"stopReason": "end_turn"}},
            {
                "metadata": {
                    "usage": _converse_usage(row),
                    "metrics": {"latencyMs": row["duration_ms"]},
                }
            },
        ]
    usage = _invoke_usage(row) if "anthropic" in row["model_id"] else _converse_usage(row)
    if row["operation"] == "InvokeModel":
        return {"id": f"msg_bdrk_{row['request_id'][:8]}", "content": [text], "usage": usage}
    return [
        {"type": "message_start", "message": {"usage": usage}},
        {"type": "content_block_delta", "delta": text},
        {
            "type": "message_stop",
            "amazon-bedrock-invocationMetrics": {
                "inputTokenCount": row["input_tokens"],
                "outputTokenCount": row["output_tokens"],
                "invocationLatency": row["duration_ms"],
                "firstByteLatency": row["ttft_ms"],
            },
        },
    ]


def _converse_usage(row: JsonObject) -> JsonObject:
    five, hour = row["cache_write_5m_tokens"], row["cache_write_1h_tokens"]
    read = row["cache_read_tokens"]
    usage: JsonObject = {
        "inputTokens": row["input_tokens"],
        "outputTokens": row["output_tokens"],
        "totalTokens": row["input_tokens"] + read + five + hour + row["output_tokens"],
    }
    if read or five or hour:
        usage["cacheReadInputTokens"] = read
        usage["cacheWriteInputTokens"] = five + hour
    if five or hour:
        usage["cacheDetails"] = [
            {"inputTokens": tokens, "ttl": ttl} for ttl, tokens in (("5m", five), ("1h", hour))
            if tokens
        ]  # fmt: skip
    return usage


def _invoke_usage(row: JsonObject) -> JsonObject:
    five, hour = row["cache_write_5m_tokens"], row["cache_write_1h_tokens"]
    return {
        "input_tokens": row["input_tokens"],
        "output_tokens": row["output_tokens"],
        "cache_read_input_tokens": row["cache_read_tokens"],
        "cache_creation_input_tokens": five + hour,
        "cache_creation": {
            "ephemeral_5m_input_tokens": five,
            "ephemeral_1h_input_tokens": hour,
        },
    }
