"""What is taken out of Portkey's records: counts, names, costs, limits; content stays behind."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson
import pyarrow as pa

from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.json_text import inside, tags_text
from ingestion.times import utc_text

_LARGEST_EXACT = 2**53


def _whole(value: Any) -> Any:
    """A count that the metric store writes as 1200.0; anything else stays, to be checked."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_EXACT:
        return int(value)
    return value


def _flag(value: Any) -> Any:
    """is_success, which the metric store writes as 1.0 or 0.0."""
    return bool(value) if type(value) in (int, float) and value in (0, 1) else value


def _units(record: Mapping[str, Any], name: str) -> Any:
    """Tokens; a failed attempt that tells none used none."""
    value = _whole(record.get(name))
    failed = name in record and _flag(record.get("is_success")) is False
    return 0 if value is None and failed else value


def _path(url: Any) -> Any:
    """The path of the provider's address: its query may hold a key."""
    if not isinstance(url, str):
        return url
    try:
        return urlsplit(url).path
    except ValueError:
        return None


def _metadata(value: Any) -> str | None:
    """Metadata as a JSON object of texts; the metric store writes it as two parallel lists."""
    if isinstance(value, dict) and isinstance(value.get("key"), list):
        names, texts = value["key"], value.get("value")
        value = dict(zip(map(str, names), texts, strict=False)) if isinstance(texts, list) else {}
    if not isinstance(value, dict):
        return None
    return tags_text({name: text for name, text in value.items() if isinstance(text, str)})


def _pick_log(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of a logged attempt, in order."""
    return (
        record.get("id"),
        record.get("trace_id"),
        utc_text(record.get("created_at")),
        _flag(record.get("is_success")),
        record.get("ai_org"),
        record.get("ai_model"),
        _units(record, "req_units"),
        _units(record, "res_units"),
        _whole(record.get("total_units")),
        _path(record.get("request_url")),
        record.get("cost"),
        record.get("cost_unit"),
        record.get("cost_currency"),
        _whole(record.get("response_time")),
        _whole(record.get("response_status_code")),
        record.get("mode"),
        record.get("config"),
        record.get("prompt_slug"),
        record.get("cache_status"),
        record.get("api_key_id"),
        record.get("organisation_id"),
        record.get("workspace_slug"),
        _metadata(record.get("metadata")),
    )


LOG_EXPORTS = Contract(
    resource="log_exports",
    columns=(
        Column("id", TEXT, required=True),
        Column("trace_id", TEXT),
        Column("created_at", UTC_TIME, required=True),
        Column("is_success", pa.bool_()),
        Column("ai_org", TEXT),
        Column("ai_model", TEXT),
        Column("req_units", INTEGER, required=True),
        Column("res_units", INTEGER, required=True),
        Column("total_units", INTEGER),
        Column("request_path", TEXT),
        Column("cost", MONEY),
        Column("cost_unit", TEXT, required=True),
        Column("cost_currency", TEXT),
        Column("response_time", INTEGER),
        Column("response_status_code", INTEGER),
        Column("mode", TEXT),
        Column("config", TEXT),
        Column("prompt_slug", TEXT),
        Column("cache_status", TEXT),
        Column("api_key_id", TEXT),
        Column("organisation_id", TEXT),
        Column("workspace_slug", TEXT),
        Column("metadata", TEXT),
    ),
    pick=_pick_log,
    known_fields=frozenset(
        [
            *("id", "trace_id", "created_at", "is_success", "ai_org", "ai_model", "req_units"),
            *("res_units", "total_units", "request_url", "cost", "cost_unit", "cost_currency"),
            *("response_time", "response_status_code", "mode", "config", "prompt_slug"),
            *("metadata", "workspace_slug", "organisation_id", "api_key_id", "cache_status"),
        ]
    ),
)


def _pick_cost(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of a day's cost, in order."""
    return tuple(record.get(column.name) for column in ANALYTICS_COST.columns)


ANALYTICS_COST = Contract(
    resource="analytics_cost",
    columns=(
        Column("workspace_slug", TEXT, required=True),
        Column("day_at", UTC_TIME, required=True),
        Column("total", MONEY, required=True),
        Column("data_points_count", INTEGER),
        Column("cost_unit", TEXT, required=True),
    ),
    pick=_pick_cost,
    known_fields=frozenset(["workspace_slug", "day_at", "total", "data_points_count", "cost_unit"]),
    is_windowed=True,
)


def _rate_limits(value: Any) -> str | None:
    """Rate limits as the text of a JSON list of type, unit and value."""
    if not isinstance(value, list):
        return None
    limits = [
        {name: limit[name] for name in ("type", "unit", "value") if name in limit}
        for limit in value
        if isinstance(limit, dict)
    ]
    return orjson.dumps(limits, default=str).decode() if limits else None


def _pick_key(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of an API key, in order; the masked key itself is left out."""
    limits = record.get("usage_limits")
    return (
        record.get("id"),
        record.get("name"),
        record.get("type"),
        record.get("status"),
        record.get("organisation_id"),
        record.get("workspace_id"),
        record.get("user_id"),
        utc_text(record.get("created_at")),
        utc_text(record.get("last_updated_at")),
        utc_text(record.get("expires_at")),
        inside(limits, "type"),
        inside(limits, "credit_limit"),
        inside(limits, "alert_threshold"),
        inside(limits, "periodic_reset"),
        _whole(inside(limits, "periodic_reset_days")),
        utc_text(inside(limits, "next_usage_reset_at")),
        _rate_limits(record.get("rate_limits")),
        _metadata(inside(record, "defaults", "metadata")),
    )


KEYS = Contract(
    resource="keys",
    columns=(
        Column("id", TEXT, required=True),
        Column("name", TEXT),
        Column("type", TEXT),
        Column("status", TEXT),
        Column("organisation_id", TEXT),
        Column("workspace_id", TEXT),
        Column("user_id", TEXT),
        Column("created_at", UTC_TIME),
        Column("last_updated_at", UTC_TIME),
        Column("expires_at", UTC_TIME),
        Column("limit_type", TEXT),
        Column("credit_limit", MONEY),
        Column("alert_threshold", MONEY),
        Column("periodic_reset", TEXT),
        Column("periodic_reset_days", INTEGER),
        Column("next_usage_reset_at", UTC_TIME),
        Column("rate_limits", TEXT),
        Column("default_metadata", TEXT),
    ),
    pick=_pick_key,
    known_fields=frozenset(
        [
            *("id", "key", "name", "description", "type", "organisation_id", "workspace_id"),
            *("user_id", "status", "created_at", "last_updated_at", "creation_mode"),
            *("rate_limits", "usage_limits", "reset_usage", "scopes", "defaults"),
            *("alert_emails", "expires_at", "object"),
        ]
    ),
    is_windowed=True,
)
