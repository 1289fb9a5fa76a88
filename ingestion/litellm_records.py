"""What is taken out of a LiteLLM record: counts, money, names, ids; messages and answers never."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.json_text import inside, tags_text

_DIMENSIONS = ("team", "user", "customer", "agent", "application", "feature")


def _tags(record: Mapping[str, Any]) -> str | None:
    """Tags as a JSON object of strings: `k=v` becomes k: v, any other tag: "true"."""
    tags: dict[str, str] = {}
    listed = record.get("request_tags")
    for tag in listed if isinstance(listed, list) else []:
        if isinstance(tag, str) and len(tag) <= 256 and not tag.startswith("User-Agent:"):
            name, found, value = tag.partition("=")
            tags[name] = value if found else "true"
    logged = inside(record, "metadata", "spend_logs_metadata")
    for name in _DIMENSIONS:
        value = inside(logged, name)
        if isinstance(value, str) and len(value) <= 256:
            tags.setdefault(name, value)
    return tags_text(tags)


def _pick(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of a spend log row, in order."""
    metadata = record.get("metadata")
    usage = inside(metadata, "usage_object")
    prompt = inside(usage, "prompt_tokens_details")
    completion = inside(usage, "completion_tokens_details")
    writes = inside(prompt, "cache_creation_token_details")
    cached = inside(prompt, "cached_tokens")
    written = inside(prompt, "cache_creation_tokens")
    return (
        record.get("request_id"),
        record.get("litellm_call_id") or inside(metadata, "litellm_call_id"),
        record.get("call_type"),
        record.get("status"),
        record.get("cache_hit"),
        record.get("startTime"),
        record.get("endTime"),
        record.get("completionStartTime"),
        record.get("request_duration_ms"),
        record.get("custom_llm_provider"),
        record.get("model"),
        record.get("model_group"),
        inside(metadata, "cost_breakdown", "service_tier"),
        record.get("prompt_tokens"),
        record.get("completion_tokens"),
        record.get("total_tokens"),
        inside(usage, "cache_read_input_tokens") if cached is None else cached,
        inside(usage, "cache_creation_input_tokens") if written is None else written,
        inside(writes, "ephemeral_5m_input_tokens"),
        inside(writes, "ephemeral_1h_input_tokens"),
        inside(completion, "reasoning_tokens"),
        inside(prompt, "audio_tokens"),
        inside(completion, "audio_tokens"),
        inside(prompt, "image_tokens"),
        inside(completion, "image_tokens"),
        record.get("spend"),
        inside(metadata, "cost_breakdown", "original_cost"),
        inside(metadata, "attempted_retries"),
        record.get("api_key"),
        inside(metadata, "user_api_key_alias"),
        record.get("organization_id") or inside(metadata, "user_api_key_org_id"),
        record.get("team_id"),
        record.get("user"),
        record.get("end_user"),
        record.get("agent_id"),
        record.get("session_id"),
        _tags(record),
    )


_COLUMNS = (
    Column("request_id", TEXT, required=True),
    Column("litellm_call_id", TEXT),
    Column("call_type", TEXT),
    Column("status", TEXT),
    Column("cache_hit", TEXT),
    Column("start_time", UTC_TIME, required=True),
    Column("end_time", UTC_TIME),
    Column("completion_start_time", UTC_TIME),
    Column("request_duration_ms", INTEGER),
    Column("custom_llm_provider", TEXT),
    Column("model", TEXT),
    Column("model_group", TEXT),
    Column("service_tier", TEXT),
    Column("prompt_tokens", INTEGER, required=True),
    Column("completion_tokens", INTEGER, required=True),
    Column("total_tokens", INTEGER),
    Column("cached_tokens", INTEGER),
    Column("cache_creation_tokens", INTEGER),
    Column("cache_creation_5m_tokens", INTEGER),
    Column("cache_creation_1h_tokens", INTEGER),
    Column("reasoning_tokens", INTEGER),
    Column("audio_input_tokens", INTEGER),
    Column("audio_output_tokens", INTEGER),
    Column("image_input_tokens", INTEGER),
    Column("image_output_tokens", INTEGER),
    Column("spend", MONEY, required=True),
    Column("original_cost", MONEY),
    Column("attempted_retries", INTEGER),
    Column("api_key", TEXT),
    Column("user_api_key_alias", TEXT),
    Column("organization_id", TEXT),
    Column("team_id", TEXT),
    Column("user", TEXT),
    Column("end_user", TEXT),
    Column("agent_id", TEXT),
    Column("session_id", TEXT),
    Column("tags", TEXT),
)

_KNOWN_FIELDS = (
    "agent_id api_base api_key cache_hit cache_key call_type completionStartTime "
    "completion_tokens custom_llm_provider endTime end_user litellm_call_id "
    "mcp_namespaced_tool_name metadata model model_group model_id organization_id "
    "prompt_tokens request_duration_ms request_id request_tags requester_ip_address "
    "session_id spend startTime status team_id total_tokens user"
)

SPEND_LOGS = Contract(
    resource="spend_logs",
    columns=_COLUMNS,
    pick=_pick,
    known_fields=frozenset(_KNOWN_FIELDS.split()),
)


def _columns_of(*columns: Column) -> Any:
    """A pick of fields that are called as their columns are."""

    def pick(record: Mapping[str, Any]) -> Sequence[Any]:
        return tuple(record.get(column.name) for column in columns)

    return pick


def _named(resource: str, *columns: Column) -> Contract:
    return Contract(
        resource=resource,
        columns=columns,
        pick=_columns_of(*columns),
        # An inventory record has dozens of settings that do not concern us.
        known_fields=frozenset(),
        is_windowed=True,
    )


# `token` is the hash of a key: what spend logs call api_key, and what limits are set by.
KEYS = _named(
    "keys",
    Column("token", TEXT, required=True),
    Column("key_alias", TEXT),
    Column("team_id", TEXT),
    Column("user_id", TEXT),
    Column("organization_id", TEXT),
    Column("blocked", pa.bool_()),
    Column("max_budget", MONEY),
    Column("budget_duration", TEXT),
    Column("expires", UTC_TIME),
    Column("created_at", UTC_TIME),
)
TEAMS = _named(
    "teams",
    Column("team_id", TEXT, required=True),
    Column("team_alias", TEXT),
    Column("organization_id", TEXT),
    Column("blocked", pa.bool_()),
    Column("max_budget", MONEY),
    Column("budget_duration", TEXT),
)
USERS = _named(
    "users",
    Column("user_id", TEXT, required=True),
    Column("user_email", TEXT),
    Column("user_alias", TEXT),
    Column("user_role", TEXT),
    Column("max_budget", MONEY),
)
