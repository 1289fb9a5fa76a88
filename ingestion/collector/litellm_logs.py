"""LiteLLM's `generic_api` batches: a logged call in the columns of its pulled spend log row.

One call has one `litellm_call_id` in both, so that what was pushed and what is pulled is one row.
Content (`messages`, `response`, `model_parameters`, error texts) is never picked.
"""

from collections.abc import Mapping
from typing import Any

from ingestion.batches import SetAside
from ingestion.collector.events import contract_of, key_hash
from ingestion.collector.values import Misfit, amount, moment, refused, text, whole
from ingestion.contracts import INTEGER, MONEY, UTC_TIME
from ingestion.json_text import inside
from ingestion.litellm import SPEND_LOGS

LITELLM_LOGS = contract_of("litellm_logs", SPEND_LOGS.columns)
_CLEAN = {MONEY: amount, INTEGER: whole, UTC_TIME: moment}
_RETRIES = "x-litellm-attempted-retries"
_CLOUD_REQUEST = "llm_provider-x-amzn-requestid"


def log_row(payload: Any, *, pepper: bytes) -> dict[str, Any] | SetAside:
    """The columns of a logged call, or why it is set aside."""
    if not isinstance(payload, dict):
        return refused(payload, None, "not_an_object")
    row: dict[str, Any] = {}
    picked = SPEND_LOGS.pick(_as_pulled(payload, pepper))
    for column, value in zip(SPEND_LOGS.columns, picked, strict=True):
        if value is None or value == "":
            if column.required:
                return refused(payload, column.name, "missing")
            continue
        try:
            cleaned = _CLEAN.get(column.type, text)(value)
        except Misfit as misfit:
            return refused(payload, column.name, str(misfit))
        if cleaned is None and column.required:
            return refused(payload, column.name, "too_long")
        if cleaned is not None:
            row[column.name] = cleaned
    return row


def _as_pulled(payload: Mapping[str, Any], pepper: bytes) -> dict[str, Any]:
    """The payload under the names of `/spend/logs/v2`, with the values the proxy's table has."""
    metadata = payload.get("metadata")
    key = inside(metadata, "user_api_key_hash")
    if isinstance(key, str) and key.startswith("sk-"):
        key = key_hash(key, pepper)
    hit = payload.get("cache_hit")
    cost = payload.get("response_cost")
    retries = inside(metadata, "attempted_retries")
    if retries is None:
        retries = inside(payload, "hidden_params", "additional_headers", _RETRIES)
    return {
        "request_id": payload.get("id"),
        "litellm_call_id": payload.get("litellm_call_id"),
        "call_type": payload.get("call_type"),
        "status": payload.get("status"),
        "cache_hit": str(hit) if isinstance(hit, bool) else None,
        "startTime": _milliseconds(payload.get("startTime")),
        "endTime": _milliseconds(payload.get("endTime")),
        "completionStartTime": _milliseconds(payload.get("completionStartTime")),
        "request_duration_ms": _duration(payload.get("response_time")),
        "custom_llm_provider": payload.get("custom_llm_provider"),
        "model": payload.get("model"),
        "model_group": payload.get("model_group"),
        "prompt_tokens": _or_zero(payload.get("prompt_tokens")),
        "completion_tokens": _or_zero(payload.get("completion_tokens")),
        "total_tokens": payload.get("total_tokens"),
        "spend": _or_zero(cost),
        "api_key": key,
        "organization_id": inside(metadata, "user_api_key_org_id"),
        "team_id": inside(metadata, "user_api_key_team_id"),
        "user": inside(metadata, "user_api_key_user_id"),
        "end_user": payload.get("end_user") or inside(metadata, "user_api_key_end_user_id"),
        "agent_id": payload.get("agent_id"),
        # The table's session id is the trace id where the call names no session of its own.
        "session_id": payload.get("session_id") or payload.get("trace_id"),
        "request_tags": payload.get("request_tags"),
        "metadata": {
            "usage_object": inside(metadata, "usage_object"),
            "cost_breakdown": payload.get("cost_breakdown"),
            "user_api_key_alias": inside(metadata, "user_api_key_alias"),
            "spend_logs_metadata": inside(metadata, "spend_logs_metadata"),
            "attempted_retries": retries,
            "provider_request_id": inside(
                payload, "hidden_params", "additional_headers", _CLOUD_REQUEST
            ),
        },
    }


def _milliseconds(seconds: Any) -> Any:
    """Epoch seconds cut to milliseconds, as the table keeps them."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return seconds
    return int(seconds * 1000) if 0 <= seconds < 10**11 else seconds


def _duration(seconds: Any) -> Any:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return seconds
    return int(seconds * 1000) if 0 <= seconds < 10**9 else seconds


def _or_zero(value: Any) -> Any:
    return 0 if value is None else value
