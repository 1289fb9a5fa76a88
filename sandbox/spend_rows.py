"""A LiteLLM call told as the spend-log row the proxy serves: 30 columns, metadata included.

Rows are made when they are served, never stored. A real proxy may keep request content inside
`metadata`; the canary stands in for it, so that a test can prove that it goes no further.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import pyarrow as pa

from sandbox.company import TEAM_ALIASES, Key

JsonObject = dict[str, Any]

COLUMNS = (
    "agent_id", "api_base", "api_key", "cache_hit", "cache_key", "call_type",
    "completionStartTime", "completion_tokens", "custom_llm_provider", "endTime", "end_user",
    "litellm_call_id", "mcp_namespaced_tool_name", "metadata", "model", "model_group", "model_id",
    "organization_id", "prompt_tokens", "request_duration_ms", "request_id", "request_tags",
    "requester_ip_address", "session_id", "spend", "startTime", "status", "team_id",
    "total_tokens", "user",
)  # fmt: skip

_NO_METADATA: JsonObject = {
    "status": None, "user_agent": "acme-sdk/2.4", "max_retries": 2, "batch_models": None,
    "actor_agent_id": None, "azure_spillover": None, "router_metadata": None,
    "target_agent_id": None, "billing_agent_id": None, "eval_information": None,
    "routing_decision": None, "error_information": None, "applied_guardrails": [],
    "autorouter_savings": None, "compression_savings": None, "spend_logs_metadata": None,
    "user_api_key_org_id": None, "agent_execution_mode": None, "internal_call_origin": None,
    "proxy_server_request": None, "requester_ip_address": "10.20.0.7",
    "batch_failed_requests": None, "guardrail_information": None, "litellm_roi_estimator": False,
    "mcp_tool_call_metadata": None, "verified_human_user_id": None,
    "additional_usage_values": {}, "cold_storage_object_key": None,
    "used_client_oauth_token": False, "user_api_key_project_id": None,
    "litellm_overhead_time_ms": None, "batch_successful_requests": None,
    "user_api_key_project_alias": None, "vector_store_request_metadata": None,
}  # fmt: skip
_NO_ADJUSTMENT: JsonObject = {
    "service_tier": None, "data_residency": None, "margin_percent": 0.0, "discount_amount": 0.0,
    "tool_usage_cost": 0.0, "vertex_location": None, "discount_percent": 0.0,
    "margin_fixed_amount": 0.0, "margin_total_amount": 0.0,
}  # fmt: skip
_ERROR_CLASSES = {
    400: "BadRequestError", 408: "Timeout", 429: "RateLimitError", 500: "InternalServerError",
}  # fmt: skip
_FALLBACK_FROM = "gpt-5-primary"


def spend_rows(calls: pa.Table, *, canary: str) -> list[JsonObject]:
    """Those calls of the world as spend-log rows, in the same order."""
    return [spend_row(call, canary=canary) for call in calls.to_pylist()]


def with_float_costs(calls: pa.Table) -> pa.Table:
    """The same calls with money as the floats LiteLLM keeps: what a page is served from."""
    return calls.cast(
        pa.schema(
            [
                pa.field(field.name, pa.float64()) if pa.types.is_decimal(field.type) else field
                for field in calls.schema
            ]
        )
    )


def spend_row(call: JsonObject, *, canary: str) -> JsonObject:
    """One call (a row of the world's table) as one spend-log row."""
    start, end = call["start_ms"], call["start_ms"] + call["duration_ms"]
    first = start + call["ttft_ms"] if call["ttft_ms"] is not None else end
    tags = []
    for name in ("feature", "app", "trace"):
        if call[name] is not None:
            tags.append(f"{name}={call[name]}")
    tags += ["User-Agent: acme-sdk", "User-Agent: acme-sdk/2.4"]
    return {
        "agent_id": call["agent_id"],
        "api_base": "",
        "api_key": _hashed(call["key_alias"]),
        "cache_hit": call["cache_hit"],
        "cache_key": call["call_id"].replace("-", "") * 2,
        "call_type": call["call_type"],
        "completionStartTime": iso_time(first),
        "completion_tokens": call["completion_tokens"],
        "custom_llm_provider": call["provider"],
        "endTime": iso_time(end),
        "end_user": call["customer"] or "",
        "litellm_call_id": call["call_id"],
        "mcp_namespaced_tool_name": None,
        "metadata": _metadata(call, canary=canary),
        "model": call["model"],
        "model_group": call["model_group"],
        "model_id": f"{call['model_group']}-1",
        "organization_id": "",
        "prompt_tokens": call["prompt_tokens"],
        "request_duration_ms": call["duration_ms"],
        "request_id": call["request_id"],
        "request_tags": tags,
        "requester_ip_address": "10.20.0.7",
        "session_id": call["session_id"],
        "spend": float(call["spend_usd"]),
        "startTime": iso_time(start),
        "status": call["status"],
        "team_id": call["team_id"],
        "total_tokens": call["total_tokens"],
        "user": call["user_email"] or "",
    }


def iso_time(ms: int) -> str:
    """The moment as the proxy writes it: `2026-11-23T07:09:29.018+00:00`."""
    seconds, rest = divmod(ms, 1000)
    return f"{_to_the_second(seconds)}.{rest:03d}+00:00"


@lru_cache(maxsize=4096)
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


@lru_cache(maxsize=64)
def _hashed(key_alias: str) -> str:
    return Key(key_alias, "").hashed


def _metadata(call: JsonObject, *, canary: str) -> JsonObject:
    failed = call["status"] == "failure"
    metadata = {
        **_NO_METADATA,
        "usage_object": {} if failed else _usage(call),
        "user_api_key": _hashed(call["key_alias"]),
        "cost_breakdown": None if failed or call["list_usd"] is None else _cost(call),
        "litellm_call_id": call["call_id"],
        "attempted_retries": call["retries"],
        "user_api_key_alias": call["key_alias"],
        "attempted_fallbacks": 1 if call["is_fallback"] else 0,
        "original_model_group": _FALLBACK_FROM if call["is_fallback"] else call["model_group"],
        "user_api_key_team_id": call["team_id"],
        "user_api_key_user_id": call["user_email"],
        "model_map_information": {"model_map_key": call["model"], "model_map_value": None},
        "user_api_key_team_alias": TEAM_ALIASES.get(call["team_id"]),
    }
    if failed:
        metadata["status"] = "failure"
        metadata["error_information"] = _error(call["error_code"], canary=canary)
    if canary:
        content = [{"role": "user", "content": canary}]
        metadata["proxy_server_request"] = {"body": {"messages": content}}
    return metadata


def _usage(call: JsonObject) -> JsonObject:
    """The provider's usage object as LiteLLM keeps it: totals that include cache and reasoning."""
    read = call["cache_read_tokens"]
    write_5m, write_1h = call["cache_write_5m_tokens"], call["cache_write_1h_tokens"]
    prompt, completion = call["prompt_tokens"], call["completion_tokens"]
    usage: JsonObject = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": call["total_tokens"],
        "prompt_tokens_details": None,
        "completion_tokens_details": None,
    }
    if read or write_5m or write_1h:
        details: JsonObject = {
            "cached_tokens": read, "text_tokens": prompt - read - write_5m - write_1h,
            "audio_tokens": None, "image_tokens": None,
        }  # fmt: skip
        if call["provider"] == "anthropic":
            details["cache_creation_tokens"] = details["cache_write_tokens"] = write_5m + write_1h
            details["cache_creation_token_details"] = {
                "ephemeral_5m_input_tokens": write_5m,
                "ephemeral_1h_input_tokens": write_1h,
            }
            usage["cache_creation_input_tokens"] = write_5m + write_1h
            usage["cache_read_input_tokens"] = read
        usage["prompt_tokens_details"] = details
    if call["reasoning_tokens"]:
        usage["completion_tokens_details"] = {
            "reasoning_tokens": call["reasoning_tokens"],
            "text_tokens": completion - call["reasoning_tokens"],
            "audio_tokens": None,
        }
    return usage


def _cost(call: JsonObject) -> JsonObject:
    total = float(call["list_usd"])
    return {
        **_NO_ADJUSTMENT,
        "input_cost": float(call["input_usd"]),
        "cache_read_cost": float(call["cache_read_usd"]),
        "cache_creation_cost": float(call["cache_write_usd"]),
        "output_cost": float(call["output_usd"]),
        "reasoning_cost": float(call["reasoning_usd"]),
        "original_cost": total,
        "total_cost": total,
    }


def _error(code: int, *, canary: str) -> JsonObject:
    name = _ERROR_CLASSES[code]
    return {
        "traceback": None,
        "error_code": str(code),
        "error_class": name,
        "llm_provider": "openai",
        "error_message": f"litellm.{name}: the provider refused the call. {canary}".rstrip(),
        "normalized_error": f"{code}_{name.upper()}",
        "error_rate_limit_category": "vendor_rate_limit" if code == 429 else None,
    }
