"""What is taken out of a LiteLLM record: counts, money, names, ids; messages and answers never."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.json_text import fields_of, tags_text

_DIMENSIONS = ("team", "user", "customer", "agent", "application", "feature")


def _tags(listed: Any, logged: Mapping[str, Any]) -> str | None:
    """Tags as a JSON object of strings: `k=v` becomes k: v, any other tag: "true"."""
    tags: dict[str, str] = {}
    for tag in listed if isinstance(listed, list) else []:
        if isinstance(tag, str) and len(tag) <= 256 and not tag.startswith("User-Agent:"):
            name, found, value = tag.partition("=")
            tags[name] = value if found else "true"
    for name in _DIMENSIONS if logged else ():
        value = logged.get(name)
        if isinstance(value, str) and len(value) <= 256:
            tags.setdefault(name, value)
    return tags_text(tags) if tags else None


def _pick(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of a spend log row, in order."""
    metadata = fields_of(record.get("metadata"))
    usage = fields_of(metadata.get("usage_object"))
    cost = fields_of(metadata.get("cost_breakdown"))
    prompt = fields_of(usage.get("prompt_tokens_details"))
    completion = fields_of(usage.get("completion_tokens_details"))
    writes = fields_of(prompt.get("cache_creation_token_details"))
    cached = prompt.get("cached_tokens")
    written = prompt.get("cache_creation_tokens")
    return (
        record.get("request_id"),
        record.get("litellm_call_id") or metadata.get("litellm_call_id"),
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
        cost.get("service_tier"),
        record.get("prompt_tokens"),
        record.get("completion_tokens"),
        record.get("total_tokens"),
        usage.get("cache_read_input_tokens") if cached is None else cached,
        usage.get("cache_creation_input_tokens") if written is None else written,
        writes.get("ephemeral_5m_input_tokens"),
        writes.get("ephemeral_1h_input_tokens"),
        completion.get("reasoning_tokens"),
        prompt.get("audio_tokens"),
        completion.get("audio_tokens"),
        prompt.get("image_tokens"),
        completion.get("image_tokens"),
        record.get("spend"),
        cost.get("original_cost"),
        metadata.get("attempted_retries"),
        record.get("api_key"),
        metadata.get("user_api_key_alias"),
        record.get("organization_id") or metadata.get("user_api_key_org_id"),
        record.get("team_id"),
        record.get("user"),
        record.get("end_user"),
        record.get("agent_id"),
        record.get("session_id"),
        metadata.get("provider_request_id"),
        _tags(record.get("request_tags"), fields_of(metadata.get("spend_logs_metadata"))),
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
    Column("provider_request_id", TEXT),
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
