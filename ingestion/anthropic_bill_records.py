"""What is taken out of Anthropic's usage buckets and cost lines: counts and names."""

from collections.abc import Mapping, Sequence
from typing import Any

from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.json_text import inside

_SHARED = ("workspace_id", "model", "service_tier", "context_window", "inference_geo", "speed")


def _pick_usage(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of a usage result, in order.

    Cache writes stand by lifetime in `cache_creation` alone: the flat name of the Messages API is
    not used here, and reading it would make every write free.
    """
    written = record.get("cache_creation")
    return (
        record.get("starts_at"),
        record.get("ends_at"),
        record.get("api_key_id"),
        *(record.get(name) for name in _SHARED),
        record.get("uncached_input_tokens"),
        record.get("cache_read_input_tokens"),
        inside(written, "ephemeral_5m_input_tokens"),
        inside(written, "ephemeral_1h_input_tokens"),
        record.get("output_tokens"),
        inside(record, "server_tool_use", "web_search_requests"),
    )


USAGE = Contract(
    resource="usage",
    columns=(
        Column("starts_at", UTC_TIME, required=True),
        Column("ends_at", UTC_TIME),
        Column("api_key_id", TEXT),
        *(Column(name, TEXT) for name in _SHARED),
        Column("uncached_input_tokens", INTEGER, required=True),
        Column("cache_read_input_tokens", INTEGER, required=True),
        Column("cache_write_5m_input_tokens", INTEGER, required=True),
        Column("cache_write_1h_input_tokens", INTEGER, required=True),
        Column("output_tokens", INTEGER, required=True),
        Column("web_search_requests", INTEGER),
    ),
    pick=_pick_usage,
    known_fields=frozenset(
        [
            *_SHARED,
            *("starts_at", "ends_at", "api_key_id", "account_id", "service_account_id"),
            *("uncached_input_tokens", "cache_read_input_tokens", "cache_creation"),
            *("output_tokens", "server_tool_use"),
        ]
    ),
    is_windowed=True,
)


def _pick_cost(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of a cost result, in order."""
    return (
        record.get("starts_at"),
        record.get("ends_at"),
        *(record.get(name) for name in _SHARED),
        record.get("cost_type"),
        record.get("token_type"),
        record.get("description"),
        record.get("amount"),
        record.get("currency"),
    )


COSTS = Contract(
    resource="costs",
    columns=(
        Column("starts_at", UTC_TIME, required=True),
        Column("ends_at", UTC_TIME),
        *(Column(name, TEXT) for name in _SHARED),
        Column("cost_type", TEXT),
        Column("token_type", TEXT),
        Column("description", TEXT),
        Column("amount_cents", MONEY, required=True, signed=True),
        Column("currency", TEXT, required=True),
    ),
    pick=_pick_cost,
    known_fields=frozenset(
        [
            *_SHARED,
            *("starts_at", "ends_at", "cost_type", "token_type", "description", "amount"),
            "currency",
        ]
    ),
    is_windowed=True,
)
