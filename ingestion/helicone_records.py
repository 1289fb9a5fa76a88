"""What is taken out of a Helicone row: counts, names, costs; bodies and addresses stay behind."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.json_text import inside, tags_text
from ingestion.times import utc_text

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_LONGEST_PROPERTY = 256


def _count(value: Any) -> Any:
    """A count; ClickHouse may write those of 64 bits as text."""
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 20 else value


def _target(url: Any) -> tuple[Any, Any]:
    """Host and path of the provider's address: its query may hold a key."""
    if not isinstance(url, str):
        return None, None
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.path
    except ValueError:
        return None, None


def _properties(record: Mapping[str, Any]) -> Mapping[str, str]:
    """The caller's properties; what is no short text is none."""
    given = record.get("properties") or record.get("request_properties")
    return {
        name: value
        for name, value in (given.items() if isinstance(given, dict) else ())
        if isinstance(value, str) and len(value) <= _LONGEST_PROPERTY
    }


def _richness(updated_at: Any) -> int:
    """The version of a row: milliseconds since 1970 of its last change; the newest one counts."""
    try:
        return (datetime.fromisoformat(updated_at) - _EPOCH) // timedelta(milliseconds=1)
    except (TypeError, ValueError):
        return 0


def _pick(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of a request, in order."""
    properties = _properties(record)
    host, path = _target(record.get("target_url"))
    updated_at = utc_text(record.get("updated_at"))
    return (
        record.get("request_id"),
        record.get("response_id"),
        utc_text(record.get("request_created_at")),
        utc_text(record.get("response_created_at")),
        updated_at,
        record.get("response_status"),
        record.get("provider"),
        record.get("request_model"),
        _count(record.get("prompt_tokens")),
        _count(record.get("completion_tokens")),
        _count(record.get("total_tokens")),
        _count(record.get("prompt_cache_read_tokens")),
        _count(record.get("prompt_cache_write_tokens")),
        _count(record.get("delay_ms")),
        _count(record.get("time_to_first_token")),
        record.get("cost"),
        record.get("cache_reference_id"),
        record.get("cache_enabled"),
        host,
        path,
        record.get("country_code"),
        record.get("request_user_id"),
        inside(properties, "Helicone-Session-Id"),
        tags_text(properties),
        _richness(updated_at),
    )


REQUESTS = Contract(
    resource="requests",
    columns=(
        Column("request_id", TEXT, required=True),
        Column("response_id", TEXT),
        Column("request_created_at", UTC_TIME, required=True),
        Column("response_created_at", UTC_TIME),
        Column("updated_at", UTC_TIME),
        # Helicone's own outcomes are negative: cancelled, timed out, not answered yet.
        Column("response_status", INTEGER, signed=True),
        Column("provider", TEXT),
        Column("request_model", TEXT),
        Column("prompt_tokens", INTEGER),
        Column("completion_tokens", INTEGER),
        Column("total_tokens", INTEGER),
        Column("prompt_cache_read_tokens", INTEGER),
        Column("prompt_cache_write_tokens", INTEGER),
        Column("delay_ms", INTEGER),
        Column("time_to_first_token", INTEGER),
        Column("cost", MONEY),
        Column("cache_reference_id", TEXT),
        Column("cache_enabled", pa.bool_()),
        Column("target_host", TEXT),
        Column("target_path", TEXT),
        Column("country_code", TEXT),
        Column("request_user_id", TEXT),
        Column("session_id", TEXT),
        Column("properties", TEXT),
        Column("richness", INTEGER, required=True),
    ),
    pick=_pick,
    known_fields=frozenset(
        [
            *("response_id", "response_created_at", "response_body", "response_status"),
            *("request_id", "request_created_at", "request_body", "request_user_id"),
            *("request_properties", "provider", "delay_ms", "request_model"),
            *("ai_gateway_body_mapping", "time_to_first_token", "total_tokens"),
            *("completion_tokens", "prompt_tokens", "prompt_cache_read_tokens"),
            *("prompt_cache_write_tokens", "country_code", "scores", "properties", "asset_ids"),
            *("target_url", "cache_reference_id", "request_referrer", "cache_enabled", "cost"),
            *("prompt_id", "prompt_version", "updated_at", "storage_location"),
            *("signed_body_url",),
        ]
    ),
)
